// The workbook: runs, outcomes, calls, latency, failures.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of Application Insights.')
param insightsName string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insights.id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'SafetyAmp Sync'
    category: 'workbook'
    sourceId: insights.id
    serializedData: replace(loadTextContent('workbook.json'), '{insightsId}', insights.id)
  }
}
