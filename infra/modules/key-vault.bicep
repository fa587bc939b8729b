// The vault of the secrets. It is made empty: the app reads a secret when it needs it and names in /ready
// those that are missing, which a placeholder would hide; and a template that wrote placeholders would
// overwrite the real values when it is deployed again. See infra/README.md for the commands that set them.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the vault.')
param name string

@description('Whether it is reached through its private endpoint, and from the addresses below, only.')
param private bool

@description('Public addresses of operators, who set the secrets from there.')
param allowedAddresses string[]

@description('Workspace of the log of who read what.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: private ? 'Deny' : 'Allow'
      bypass: 'None'
      ipRules: [for address in allowedAddresses: { value: address }]
    }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'AuditEvent', enabled: true }
    ]
  }
}

output uri string = vault.properties.vaultUri
