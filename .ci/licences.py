"""Reads `cargo metadata`, fails on a dependency whose licence is not among the permissive ones."""

import json
import re
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
    "Unicode-3.0", "Unicode-DFS-2016", "CC0-1.0", "0BSD", "BSL-1.0", "Unlicense", "CDLA-Permissive-2.0", "WTFPL",
}


def allowed(expression: str) -> bool:
    """True when one alternative of the SPDX expression is wholly allowed."""
    for alternative in re.split(r"\s+OR\s+|/", expression.replace("(", "").replace(")", "")):
        if all(part.strip() in ALLOWED for part in re.split(r"\s+AND\s+", alternative)):
            return True
    return False


def main() -> int:
    packages = json.load(sys.stdin)["packages"]
    bad = [f'{p["name"]} {p["version"]}: {p["license"]}' for p in packages if p["source"] and not allowed(p["license"] or "")]
    print(f"{len(packages)} packages, {len(bad)} with another licence")
    for line in bad:
        print(line)
    return 1 if bad else 0


sys.exit(main())
