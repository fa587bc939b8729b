// Alerts from the platform's own metrics: they work when the app does not.

import { Names } from 'types.bicep'

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Whether there is a Redis to watch.')
param withRedis bool

@description('Who is told.')
param actionGroupId string

@description('Address of docs/runbook.md; the alert\'s name is the anchor.')
param runbookUrl string

var busId = resourceId('Microsoft.ServiceBus/namespaces', names.bus)
var redisId = resourceId('Microsoft.Cache/redisEnterprise', names.redis)

var rules = [
  {
    anchor: 'dead-letter-queue'
    severity: 2
    text: 'Messages stay in a dead-letter queue: the functions that empty it do not run.'
    scope: busId
    type: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    aggregation: 'Average'
    threshold: 0
    window: 'PT30M'
  }
  {
    anchor: 'queue-backlog'
    severity: 3
    text: 'More than 200 messages that are due have waited for an hour.'
    scope: busId
    type: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    aggregation: 'Average'
    threshold: 200
    window: 'PT1H'
  }
  {
    anchor: 'bus-throttled'
    severity: 3
    text: 'Service Bus refuses requests because there are too many.'
    scope: busId
    type: 'Microsoft.ServiceBus/namespaces'
    metric: 'ThrottledRequests'
    aggregation: 'Total'
    threshold: 10
    window: 'PT15M'
  }
  {
    anchor: 'redis-memory'
    severity: 2
    text: 'Redis is nearly full; with the policy NoEviction it would refuse writes.'
    scope: redisId
    type: 'Microsoft.Cache/redisEnterprise'
    metric: 'usedmemorypercentage'
    aggregation: 'Maximum'
    threshold: 80
    window: 'PT15M'
  }
]

resource alerts 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for rule in filter(rules, rule => withRedis || rule.anchor != 'redis-memory'): {
    name: 'alert-${rule.anchor}'
    location: 'global'
    tags: tags
    properties: {
      description: '${rule.text} What to do: ${runbookUrl}#${rule.anchor}'
      severity: rule.severity
      enabled: true
      scopes: [rule.scope]
      targetResourceType: rule.type
      windowSize: rule.window
      evaluationFrequency: 'PT5M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: rule.anchor
            metricNamespace: rule.type
            metricName: rule.metric
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
          }
        ]
      }
      actions: [
        { actionGroupId: actionGroupId, webHookProperties: { runbook: '${runbookUrl}#${rule.anchor}' } }
      ]
    }
  }
]
