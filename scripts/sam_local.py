"""Run every function with its sample events under `sam local invoke`, against the embedded stack.

Needs a Docker engine with an image of the Lambda runtime, and a stack whose services listen on the Docker bridge, too
(docs/operations.md). An answer is right when the function itself gave it: a sample's credential belongs to nobody, so
a refusal is an answer as well; an import that fails, a time-out or a fault (5xx) is not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from scripts.stack.aws import REGION
from scripts.stack.deployment import machine_architecture

ROOT: Final = Path(__file__).resolve().parents[1]
STACK: Final = ROOT / os.environ.get("STACK_DIR", ".local")
TIMEOUT_SECONDS: Final = 120
FIRST_FAULT: Final = 500
REFUSED: Final = "Unauthorized"  # how the authorizer says no


def main() -> int:
    """Invoke all, say what came of each, and fail if one did not answer."""
    samples = sorted((ROOT / "events").glob("*/*.json"))
    wrong = [sample for sample in samples if not answers(sample)]
    print(f"{len(samples) - len(wrong)} of {len(samples)} samples answered under sam local")
    return 1 if wrong else 0


def answers(sample: Path) -> bool:
    """Whether the sample's function answers it; prints how."""
    done = subprocess.run(command(sample), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    lines = done.stdout.strip().splitlines()
    verdict = judge(lines[-1]) if done.returncode == 0 and lines else f"failed: {done.stderr.strip()[-400:]}"
    print(f"{sample.parent.name}/{sample.stem}: {verdict}", flush=True)
    return not verdict.startswith("failed")


def command(sample: Path) -> list[str]:
    """Return the command line; it is the one that docs/operations.md shows."""
    function = "".join(word.title() for word in sample.parent.name.split("_"))
    template, variables = STACK / "build" / "template.yaml", STACK / "env.json"
    return [
        *("sam", "local", "invoke", function, "--template", str(template), "--event", str(sample), "--region", REGION),
        *("--parameter-overrides", f"Architecture={machine_architecture()}"),
        *("--env-vars", str(variables), "--skip-pull-image", "--add-host", "host.docker.internal:host-gateway"),
    ]


def judge(answer: str) -> str:
    """Say what the function's last line is: an answer, or why it is none."""
    document: Any = json.loads(answer)
    if isinstance(document, dict) and "errorMessage" in document:
        return "refused" if document["errorMessage"] == REFUSED else f"failed: {answer}"
    if isinstance(document, dict) and "statusCode" in document:
        status = document["statusCode"]
        return f"failed: {answer}" if status >= FIRST_FAULT else f"answered {status}"
    return "done"


if __name__ == "__main__":
    sys.exit(main())
