"""Azure as the scripts of `infra/` see it: an `az` that keeps packages, slots and alerts in a file.

Put on PATH as `az` by `script_rig`. What it does not know it refuses, so that no script relies on it. In
`state` a test says what goes wrong: `failing` (how often a command fails), `lost` (a command that is done but
whose answer is lost, once), `signed_out_after` (a command after which the sign-in has expired), `stopped_at`
(a command during which the script is told to stop).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

SITE = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Web/sites/func-x"
ACCOUNT = "stpkgsx"
SETTING = "WEBSITE_RUN_FROM_PACKAGE="
DONE = ""
CHANGES = (
    "webapp config appsettings set",
    "functionapp deployment slot swap",
    "functionapp deployment source config-zip",
)


def answer(words: list[str], state: dict[str, Any]) -> str | None:
    """What `az WORDS` prints, None for a command that is not known. Changes `state`."""
    options = _options(words)
    command = " ".join(words[: _first_option(words)])
    if command.startswith("storage blob"):
        return _blobs(command, options, state)
    if command.startswith("webapp traffic-routing"):
        state["traffic"] = options.get("distribution")
        return ""
    if command == "rest":
        return _rest(options, state)
    if command.startswith("deployment group"):
        state["deployments"].append(
            [command.split()[-1], os.environ["PRODUCTION_PACKAGE"], os.environ["STAGING_PACKAGE"]]
        )
        return DONE
    _change(command, options, state)
    return _fact(command, options.get("slot", "production"), state)


def _fact(command: str, slot: str, state: dict[str, Any]) -> str | None:
    package = state["slots"][slot]
    return {
        "functionapp list": f"func-x\t{SITE}\t{state['plan'] == 'flex'}" if state["plan"] else "",
        "storage account list": ACCOUNT,
        "account show": "s1",
        "account get-access-token": DONE,
        "functionapp show": f"func-x{'' if slot == 'production' else '-' + slot}.azurewebsites.net",
        "functionapp keys list": f"key-of-{slot}",
        "functionapp config appsettings list": package
        and f"https://{ACCOUNT}.blob.core.windows.net/packages/{package}",
    }.get(command, DONE if command in CHANGES else None)


def _change(command: str, options: dict[str, str], state: dict[str, Any]) -> None:
    slots = state["slots"]
    if command == "webapp config appsettings set":
        assert options["settings"].startswith(SETTING)
        slots[options.get("slot", "production")] = options["settings"].rpartition("/")[2]
    elif command == "functionapp deployment slot swap":
        slots["production"], slots["staging"] = slots["staging"], slots["production"]
    elif command == "functionapp deployment source config-zip":
        state["deployed"] = Path(options["src"]).read_text("latin-1")


def _blobs(command: str, options: dict[str, str], state: dict[str, Any]) -> str | None:
    blobs = state["blobs"]
    match command.rpartition(" ")[2]:
        case "upload":
            blobs[options["name"]] = Path(options["file"]).read_text("latin-1")
        case "list" if "metadata" in options["query"]:
            return "\n".join(f"{at}\t{name}" for name, at in state["deployed_at"].items())
        case "list":
            return "\n".join(blobs)
        case "update":
            state["deployed_at"][options["name"]] = options["metadata"].removeprefix("deployed=")
        case "download":
            Path(options["file"]).write_text(blobs[options["name"]], "latin-1")
        case _:
            return None
    return DONE


def _rest(options: dict[str, str], state: dict[str, Any]) -> str | None:
    url = options["url"].removeprefix("https://management.azure.com")
    if options["method"] == "post" and "/host/default/sync?" in url:
        state["synchronised"].append("staging" if "/slots/staging/" in url else "production")
        return ""
    if options["method"] == "get" and "/Microsoft.AlertsManagement/alerts?" in url:
        return json.dumps({"value": state["alerts"]})
    return None


def _first_option(words: list[str]) -> int:
    return next((number for number, word in enumerate(words) if word.startswith("-")), len(words))


def _options(words: list[str]) -> dict[str, str]:
    """Each option with the words up to the next one."""
    found: dict[str, str] = {}
    name = ""
    for word in words[_first_option(words) :]:
        if word.startswith("--"):
            name = word.removeprefix("--")
            found[name] = ""
        else:
            found[name] = f"{found[name]} {word}".strip()
    return found


def trouble(command: str, options: dict[str, str], state: dict[str, Any]) -> str | None:
    """Why the command fails instead of doing anything; None when it does not."""
    if state["signed_out_after"] in state["calls"]:
        return "AADSTS700024: Client assertion is not within its valid time range"
    if options.get("subscription", "s1") != "s1":
        return "The subscription doesn't exist in cloud 'AzureCloud'"
    if state["failing"].get(command, 0):
        state["failing"][command] -= 1
        return "Encountered an error (ServiceUnavailable) from host runtime"
    return None


def main() -> None:
    file = Path(os.environ["FAKE_AZURE"])
    state = json.loads(file.read_text())
    words = sys.argv[1:]
    options = _options(words)
    command = " ".join([*words[: _first_option(words)], *options.get("method", "").split()])
    wrong = trouble(command, options, state)
    printed = answer(words, state) if wrong is None else ""
    if printed is None:
        sys.exit(f"the fake az does not know: {' '.join(words)}")
    if wrong is None:
        state["calls"].append(command)
    if state["lost"] == command:
        state["lost"] = None
        wrong = "the connection was lost"
    file.write_text(json.dumps(state))
    if state["stopped_at"] == command:
        os.kill(os.getsid(0), signal.SIGTERM)
    if wrong:
        sys.exit(wrong)
    if printed:
        print(printed)


if __name__ == "__main__":
    main()
