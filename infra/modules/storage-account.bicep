// A storage account that takes no keys: Entra identities only, TLS only, nothing anonymous.

import { ContainerName } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Copies: in one zone (LRS) or in three (ZRS).')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param sku string = 'Standard_LRS'

@description('Whether to close it to everything but private endpoints and the addresses below.')
param private bool

@description('Public addresses that may reach it although it is private.')
param allowedAddresses string[] = []

@description('Containers to make.')
param containers ContainerName[] = []

@description('Days for which deleted or overwritten blobs and containers can be brought back.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 14

@description('Workspace of the logs of reads, writes and deletions; empty: none.')
param workspaceId string = ''

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: private ? 'Deny' : 'Allow'
      bypass: 'None'
      ipRules: [for address in allowedAddresses: { value: address, action: 'Allow' }]
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
      containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    }

    resource made 'containers' = [
      for container in containers: {
        name: container
        properties: { publicAccess: 'None' }
      }
    ]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: account::blobs
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}
