"""Programs for developers: the embedded stack, the demo, the benchmarks, the build. Lambda needs none of them."""
