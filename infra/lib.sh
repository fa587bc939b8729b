# What the scripts beside this file share. Sourced, not run.
# shellcheck shell=bash

PACKAGES_CONTAINER=packages

fail() {
  echo "error: $*" >&2
  exit 1
}

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

# Sets APP, APP_ID and PLAN (premium or flex) of the resource group.
find_app() {
  local found
  found="$(az functionapp list --resource-group "$GROUP" --output tsv \
    --query "[?tags.application=='safetyamp-sync'].[name, id, contains(to_string(properties.sku || sku), 'Flex')]")"
  [ -n "$found" ] || fail "resource group $GROUP has no function app of SafetyAmp Sync; deploy infra/main.bicep first"
  IFS=$'\t' read -r APP APP_ID flex <<<"$found"
  # shellcheck disable=SC2034 # the scripts that source this file use it
  case "$flex" in [Tt]rue) PLAN=flex ;; *) PLAN=premium ;; esac
}

# Name of the storage account of the packages.
packages_account() {
  az storage account list --resource-group "$GROUP" --query "[?starts_with(name, 'stpkgs')].name | [0]" --output tsv
}

# Name of the package that a slot runs; empty: none.
package_of() { # $1 = production or staging
  local where=() url
  [ "$1" = production ] || where=(--slot "$1")
  url="$(az functionapp config appsettings list --resource-group "$GROUP" --name "$APP" "${where[@]}" \
    --query "[?name=='WEBSITE_RUN_FROM_PACKAGE'].value | [0]" --output tsv)"
  [ "$url" = None ] && url=""
  echo "${url##*/}"
}

# Tells the scale controller what a slot's package wants to be started by. A package at an address of its own is
# not noticed by itself.
synchronise_triggers() { # $1 = production or staging
  local path=""
  [ "$1" = production ] || path="/slots/$1"
  az rest --method post --output none \
    --url "https://management.azure.com$APP_ID$path/host/default/sync?api-version=2025-03-01"
}

# Makes a slot run a package that is in the storage account already.
run_package() { # $1 = production or staging, $2 = package
  local where=() account
  [ "$1" = production ] || where=(--slot "$1")
  account="$(packages_account)"
  az functionapp config appsettings set --resource-group "$GROUP" --name "$APP" "${where[@]}" --output none \
    --settings "WEBSITE_RUN_FROM_PACKAGE=https://$account.blob.core.windows.net/$PACKAGES_CONTAINER/$2"
  synchronise_triggers "$1"
}

# Exchanges the packages of production and staging.
swap_slots() {
  az functionapp deployment slot swap --resource-group "$GROUP" --name "$APP" --slot staging \
    --target-slot production --output none
  synchronise_triggers production
}

# Address of a slot.
url_of() { # $1 = production or staging
  local where=()
  [ "$1" = production ] || where=(--slot "$1")
  echo "https://$(az functionapp show --resource-group "$GROUP" --name "$APP" "${where[@]}" \
    --query 'defaultHostName || properties.defaultHostName' --output tsv)"
}

# The host key of a slot. Callers must not print it.
key_of() { # $1 = production or staging
  local where=()
  [ "$1" = production ] || where=(--slot "$1")
  az functionapp keys list --resource-group "$GROUP" --name "$APP" "${where[@]}" --query functionKeys.default --output tsv
}

# Packages, newest first: their names begin with the time. `released-package.zip` is Flex Consumption's own.
list_packages() {
  az storage blob list --auth-mode login --account-name "$(packages_account)" --container-name "$PACKAGES_CONTAINER" \
    --query "[?starts_with(name, '2')].name" --output tsv | sort -r
}
