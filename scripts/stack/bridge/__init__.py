"""The parts of AWS that MiniStack lacks, one module each. Delete each once MiniStack has it."""
