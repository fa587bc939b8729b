// Alerts on the alert rules themselves: a rule whose query fails tells nobody, and after a week of that Azure switches
// it off. From the activity log, which costs nothing and works when telemetry does not.

@description('Tags.')
param tags object

@description('Who is told.')
param actionGroupId string

@description('Address of docs/runbook.md.')
param runbookUrl string

var anchor = 'alert-rules'

var rules = [
  {
    name: 'failing'
    text: 'An alert rule is switched off, or its query fails: it watches nothing.'
    category: 'ResourceHealth'
    events: [
      { field: 'properties.currentHealthStatus', equals: 'Unavailable' }
      { field: 'properties.currentHealthStatus', equals: 'Degraded' }
    ]
  }
  {
    name: 'disabled'
    text: 'Azure has switched off an alert rule whose query failed for a week.'
    category: 'Administrative'
    events: [
      { field: 'operationName', equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action' }
    ]
  }
]

resource alerts 'Microsoft.Insights/activityLogAlerts@2026-01-01' = [
  for rule in rules: {
    name: '${anchor}-${rule.name}'
    location: 'global'
    tags: tags
    properties: {
      description: '${rule.text} What to do: ${runbookUrl}#${anchor}'
      enabled: true
      scopes: [resourceGroup().id]
      condition: {
        allOf: [
          { field: 'category', equals: rule.category }
          { field: 'resourceType', equals: 'Microsoft.Insights/scheduledQueryRules' }
          { anyOf: rule.events }
        ]
      }
      actions: {
        actionGroups: [
          { actionGroupId: actionGroupId, webhookProperties: { runbook: '${runbookUrl}#${anchor}' } }
        ]
      }
    }
  }
]
