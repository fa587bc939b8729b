# What the scripts beside this file share. Sourced, not run.
# Written for bash 3.2, which macOS has: there an empty array is an unset variable, hence ${ARRAY[@]+"${ARRAY[@]}"}.
# Within $( ) bash does not stop at the first error: functions that are read so say `|| return` themselves.
# shellcheck shell=bash

PACKAGES_CONTAINER=packages
child=""

fail() {
  echo "error: $*" >&2
  exit 1
}

# azd's hooks work in azd's subscription: `az` has a sign-in of its own, which may be at home elsewhere.
if [ -n "${AZURE_SUBSCRIPTION_ID:-}" ]; then
  az account show --subscription "$AZURE_SUBSCRIPTION_ID" --output none ||
    fail "the Azure CLI is not signed in to subscription $AZURE_SUBSCRIPTION_ID, which azd works in (AZURE_SUBSCRIPTION_ID): az login"
  az() { command az "$@" --subscription "$AZURE_SUBSCRIPTION_ID"; }
fi

# Sets GROUP from --resource-group/-g or AZURE_RESOURCE_GROUP, and ARGUMENTS to the others.
read_group() {
  GROUP="${AZURE_RESOURCE_GROUP:-}"
  ARGUMENTS=()
  while [ $# -gt 0 ]; do
    case "$1" in
      -g | --resource-group)
        [ $# -ge 2 ] || fail "$1 needs the name of the resource group"
        GROUP="$2"
        shift 2
        ;;
      *)
        ARGUMENTS+=("$1")
        shift
        ;;
    esac
  done
  [ -n "$GROUP" ] || fail "name the resource group: -g GROUP, or AZURE_RESOURCE_GROUP"
}

# Sets APP, APP_ID and PLAN (premium or flex) of the resource group; APP is empty where there is none.
look_for_app() {
  local found flex
  found="$(az functionapp list --resource-group "$GROUP" --output tsv \
    --query "[?tags.application=='safetyamp-sync'].[name, id, contains(to_string(properties.sku || sku), 'Flex')]")" ||
    fail "the apps of resource group $GROUP cannot be listed"
  case "$found" in *$'\n'*) fail "resource group $GROUP has more than one app of SafetyAmp Sync" ;; esac
  IFS=$'\t' read -r APP APP_ID flex <<<"$found"
  # shellcheck disable=SC2034 # the scripts that source this file use it
  case "$flex" in [Tt]rue) PLAN=flex ;; *) PLAN=premium ;; esac
}

find_app() {
  look_for_app
  [ -n "$APP" ] || fail "resource group $GROUP has no function app of SafetyAmp Sync; infra/provision makes it"
}

# Tries a command again, for five minutes, and prints what it printed when it worked. Hosts that restart answer 400
# or 503: after a swap, a new package, changed settings. A sign-in that has expired does not come back by itself.
# Never for what does something else the second time.
retry() {
  local try output
  for ((try = 1; try < ${RETRY_TIMES:-20}; try++)); do
    if output="$("$@")"; then
      [ -z "$output" ] || printf '%s\n' "$output"
      return 0
    fi
    az account get-access-token --output none || return
    beside sleep "${RETRY_PAUSE_SECONDS:-15}"
  done
  "$@"
}

# The commit that a package was made of, by the build's own stamp, and not that of this checkout.
commit_of() { # $1 = file
  python3 -c 'import json, sys, zipfile
try:
    print(json.loads(zipfile.ZipFile(sys.argv[1]).read("shared/build.json"))["commit"])
except KeyError:
    print("unknown")
except (zipfile.BadZipFile, ValueError, TypeError):
    sys.exit(f"error: {sys.argv[1]} is no package, or a damaged one; infra/package makes one")' "$1"
}

# Runs what takes long beside the script: bash puts a signal off until the command in the foreground has ended.
beside() {
  "$@" &
  child=$!
  wait "$child"
  child=""
}

# Name of the storage account of the packages.
packages_account() {
  az storage account list --resource-group "$GROUP" --query "[?starts_with(name, 'stpkgs')].name | [0]" --output tsv
}

# Name of the package that a slot runs; empty: none. Fails when it cannot be found out.
package_of() { # $1 = production or staging
  local where=() url
  if [ "$PLAN" = flex ]; then
    deployed_packages | sed -n 1p
    return
  fi
  [ "$1" = production ] || where=(--slot "$1")
  url="$(az functionapp config appsettings list --resource-group "$GROUP" --name "$APP" ${where[@]+"${where[@]}"} \
    --query "[?name=='WEBSITE_RUN_FROM_PACKAGE'].value | [0]" --output tsv)" || return
  [ "$url" != None ] || url=""
  echo "${url##*/}"
}

# Sets PRODUCTION_PACKAGE and STAGING_PACKAGE to what runs, empty where there is no app or no package yet.
# Stops the script when it cannot be found out.
read_packages() {
  PRODUCTION_PACKAGE=""
  STAGING_PACKAGE=""
  look_for_app
  [ -n "$APP" ] || return 0
  PRODUCTION_PACKAGE="$(package_of production)" || fail "what production runs cannot be read"
  [ "$PLAN" = flex ] || STAGING_PACKAGE="$(package_of staging)" || fail "what staging runs cannot be read"
}

# Tells the scale controller what a slot's package wants to be started by. A package at an address of its own is
# not noticed by itself.
synchronise_triggers() { # $1 = production or staging
  local path=""
  [ "$1" = production ] || path="/slots/$1"
  retry az rest --method post --output none \
    --url "https://management.azure.com$APP_ID$path/host/default/sync?api-version=2025-03-01"
}

# Makes a slot run a package that is in the storage account already. `az webapp`, for `az functionapp` would first
# read production's settings, which the identity of `staging` may not.
run_package() { # $1 = production or staging, $2 = package
  local where=() account
  [ "$1" = production ] || where=(--slot "$1")
  account="$(packages_account)"
  az webapp config appsettings set --resource-group "$GROUP" --name "$APP" ${where[@]+"${where[@]}"} --output none \
    --settings "WEBSITE_RUN_FROM_PACKAGE=https://$account.blob.core.windows.net/$PACKAGES_CONTAINER/$2"
}

# Exchanges the packages of production and staging. Not to be tried again blindly: the second swap would undo a
# first one that worked although its answer was lost.
swap_slots() {
  az functionapp deployment slot swap --resource-group "$GROUP" --name "$APP" --slot staging \
    --target-slot production --output none
}

# Takes staging out of production's traffic. Azure refuses it while a swap is under way: it succeeds when that is over.
stop_canary() {
  retry az webapp traffic-routing clear --resource-group "$GROUP" --name "$APP" --output none
}

# Address of a slot.
url_of() { # $1 = production or staging
  local where=() name
  [ "$1" = production ] || where=(--slot "$1")
  name="$(az functionapp show --resource-group "$GROUP" --name "$APP" ${where[@]+"${where[@]}"} \
    --query 'defaultHostName || properties.defaultHostName' --output tsv)" || return
  echo "https://$name"
}

# The host key of a slot. Callers must not print it.
key_of() { # $1 = production or staging
  local where=()
  [ "$1" = production ] || where=(--slot "$1")
  retry az functionapp keys list --resource-group "$GROUP" --name "$APP" ${where[@]+"${where[@]}"} \
    --query functionKeys.default --output tsv
}

# Packages, newest first: their names begin with the time. `released-package.zip` is Flex Consumption's own.
list_packages() {
  az storage blob list --auth-mode login --account-name "$(packages_account)" --container-name "$PACKAGES_CONTAINER" \
    --query "[?starts_with(name, '2')].name" --output tsv | sort -r
}

# Flex Consumption does not tell which package it runs: each deployment writes its time on the package.
deploy_to_flex() { # $1 = file, $2 = package
  # Of Python, az has the dependencies built in Azure all the same (infra/README.md, What is open).
  az functionapp deployment source config-zip --resource-group "$GROUP" --name "$APP" --src "$1" \
    --build-remote false --output none
  az storage blob metadata update --auth-mode login --account-name "$(packages_account)" \
    --container-name "$PACKAGES_CONTAINER" --name "$2" --metadata "deployed=$(date -u +%Y%m%d%H%M%S)" --output none
}

# Packages that Flex Consumption has run, the one that runs first.
deployed_packages() {
  az storage blob list --auth-mode login --account-name "$(packages_account)" --container-name "$PACKAGES_CONTAINER" \
    --include m --query "[?metadata.deployed].[metadata.deployed, name]" --output tsv | sort -r | cut -f 2
}
