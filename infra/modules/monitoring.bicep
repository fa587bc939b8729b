// Log Analytics and Application Insights.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Name of the Application Insights resource.')
param insightsName string

@description('Days to keep logs; more than 31 cost extra.')
param retentionDays int

@description('Gigabytes a day after which ingestion stops until the next day: a fuse against a flood of logs.')
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: { disableLocalAuth: true }
  }
}

// Local authentication stays on: availability tests and exporters that know a connection string only need it.
// The string lets its holder write telemetry, nothing else.
resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: false
  }
}

output workspaceId string = workspace.id
output insightsId string = insights.id
