// Three accounts: what the Functions host needs, the documents, and the app's packages.

import { Names, documentsContainer, packagesContainer } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Whether host storage and documents are reached through private endpoints only.')
param private bool

@description('Whether host storage and packages are kept in three zones, as the documents always are.')
param zoneRedundant bool

@description('Public addresses of operators, who may read the documents from there.')
param operatorAddresses string[]

@description('Days after which the documents of a run and dead letters are deleted.')
param runRetentionDays int

@description('Workspace of the logs.')
param workspaceId string

// Days after which it is forgotten who decided what and why.
var decisionRetentionDays = 730
var sku = zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'

module host 'storage-account.bicep' = {
  name: 'storage-host'
  params: {
    location: location
    tags: tags
    name: names.hostStorage
    sku: sku
    private: private
  }
}

module documents 'storage-account.bicep' = {
  name: 'storage-documents'
  params: {
    location: location
    tags: tags
    name: names.documentsStorage
    sku: 'Standard_ZRS'
    private: private
    allowedAddresses: operatorAddresses
    containers: [documentsContainer]
    workspaceId: workspaceId
  }
}

// The one account that stays open to the internet, for identities with a role on it: the platform fetches the
// package from outside of the app's network, and GitHub's runners upload it. It holds code, no data.
module packages 'storage-account.bicep' = {
  name: 'storage-packages'
  params: {
    location: location
    tags: tags
    name: names.packagesStorage
    sku: sku
    private: false
    containers: [packagesContainer]
    workspaceId: workspaceId
  }
}

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: names.documentsStorage
}

// `runs/2`: ids of runs begin with their year. `runs/active.json`, `state/` and `rules/` must never
// expire: a version of the rules is needed as long as a run or a rollback may name it.
resource expiry 'Microsoft.Storage/storageAccounts/managementPolicies@2026-04-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'expire-runs'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${documentsContainer}/runs/2', '${documentsContainer}/dead-letters/']
            }
            actions: {
              baseBlob: { delete: { daysAfterModificationGreaterThan: runRetentionDays } }
            }
          }
        }
        {
          name: 'expire-decisions'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${documentsContainer}/decisions/']
            }
            actions: {
              baseBlob: { delete: { daysAfterModificationGreaterThan: decisionRetentionDays } }
            }
          }
        }
      ]
    }
  }
  dependsOn: [documents]
}
