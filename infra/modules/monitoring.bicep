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

@description('Whether Application Insights takes telemetry from whoever knows its connection string.')
param localAuth bool

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

// App and host sign in with the identity. Whether the results of availability tests still arrive without local
// authentication is not known. The connection string lets its holder write telemetry, nothing else.
resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: !localAuth
  }
}

output workspaceId string = workspace.id
output insightsId string = insights.id
