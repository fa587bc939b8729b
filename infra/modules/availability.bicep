// Asks /ready every fifteen minutes, from one place or from five; every five would cost three times as much.

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of Application Insights.')
param insightsName string

@description('Whether one place asks, which costs a fifth and alerts when that place cannot reach the app either.')
param onePlace bool

@description('Host name of the app.')
param hostName string

@description('Who is told.')
param actionGroupId string

@description('Address of docs/runbook.md.')
param runbookUrl string

var anchor = 'not-ready'
var allPlaces = ['us-il-ch1-azr', 'us-tx-sn1-azr', 'us-va-ash-azr', 'us-ca-sjc-azr', 'us-fl-mia-edge']

var places = onePlace ? take(allPlaces, 1) : allPlaces
var failedPlaces = onePlace ? 1 : 3

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource test 'Microsoft.Insights/webtests@2022-06-15' = {
  name: 'ready-${insightsName}'
  location: location
  // The portal shows the test with the resource that this tag names.
  tags: union(tags, { 'hidden-link:${insights.id}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: 'ready-${insightsName}'
    Name: 'ready'
    Description: '/ready answers 200: settings, documents, Service Bus and Vista are there.'
    Enabled: true
    Kind: 'standard'
    Frequency: 900
    Timeout: 60
    RetryEnabled: true
    Locations: [for place in places: { Id: place }]
    Request: {
      RequestUrl: 'https://${hostName}/ready'
      HttpVerb: 'GET'
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource alert 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'alert-${anchor}'
  location: 'global'
  tags: tags
  properties: {
    description: '/ready fails at ${failedPlaces} of ${length(places)} places: something that a run needs is missing. What to do: ${runbookUrl}#${anchor}'
    severity: 1
    enabled: true
    scopes: [test.id, insights.id]
    windowSize: 'PT30M'
    evaluationFrequency: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: test.id
      componentId: insights.id
      failedLocationCount: failedPlaces
    }
    actions: [
      { actionGroupId: actionGroupId, webHookProperties: { runbook: '${runbookUrl}#${anchor}' } }
    ]
  }
}
