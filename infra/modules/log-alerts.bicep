// Alerts from the app's telemetry. Each is on or off by itself ("stateful"): over when its query finds nothing.

import { dimensions, events, heartbeatFunction, metrics } from 'telemetry-names.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of Application Insights, whose tables the queries read.')
param insightsName string

@description('Name of the workspace that holds these tables.')
param workspaceName string

@description('Whether there is a Redis to watch.')
param withRedis bool

@description('Who is told.')
param actionGroupId string

@description('Address of docs/runbook.md; the alert\'s name is the anchor.')
param runbookUrl string

@description('Minutes between two scheduled runs.')
param syncIntervalMinutes int

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

// A metric's last value per dimension; gauges keep their value until they are sent again.
var latest = 'summarize arg_max(timestamp, value) by'
var records = 'traces | where message startswith "{" | extend record = parse_json(message)'
// `summarize` without `by` gives a row for an empty table too: silence counts as no success.
var noSuccess = 'customMetrics | where name == "${metrics.lastSync}" | summarize newest = max(value) | where isnull(newest) or datetime_diff("minute", now(), unixtime_seconds_todatetime(tolong(newest))) > ${2 * syncIntervalMinutes + 10}'

// Each look costs: every 15 minutes where nobody hurries, every 5 where a release watches. Never less often: Azure
// knows the health of no rule that looks every half hour (rule-alerts.bicep).
var rules = [
  {
    anchor: 'no-successful-run'
    severity: 1
    text: 'No run has succeeded for two schedules.'
    window: syncIntervalMinutes <= 120 ? 'PT6H' : 'P2D'
    frequency: 'PT15M'
    query: noSuccess
    dimension: ''
  }
  {
    anchor: 'run-failed'
    severity: 1
    text: 'A run ended as failed: at least one entity could not be synchronised.'
    window: 'PT1H'
    frequency: 'PT5M'
    query: '${records} | where tostring(record.event) == "${events.runEnded}" and tostring(record.phase) == "failed" and tostring(record.mode) == "apply" | project timestamp, run = tostring(record.run)'
    dimension: ''
  }
  {
    anchor: 'run-held'
    severity: 2
    text: 'A plan is held by the guard: it would deactivate or change too much. Somebody must approve or cancel it.'
    window: 'PT1H'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.runsHeld}" | summarize arg_max(timestamp, value) | where value > 0'
    dimension: ''
  }
  {
    anchor: 'dead-letters'
    severity: 2
    text: 'Messages could not be handled; the work that they stood for ended as failed.'
    window: 'PT1H'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.deadLetters}" | extend ${dimensions.queue} = tostring(customDimensions["${dimensions.queue}"]) | ${latest} ${dimensions.queue} | where value > 0'
    dimension: dimensions.queue
  }
  {
    anchor: 'breaker-open'
    severity: 2
    text: 'The circuit breaker of an upstream has been open for more than ten minutes.'
    window: 'PT30M'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.breakerOpen}" | extend ${dimensions.service} = tostring(customDimensions["${dimensions.service}"]) | ${latest} ${dimensions.service} | where value > 600'
    dimension: dimensions.service
  }
  {
    anchor: 'exceptions'
    severity: 2
    text: 'More than five exceptions in fifteen minutes.'
    window: 'PT15M'
    frequency: 'PT5M'
    query: 'exceptions | summarize exceptions = count() | where exceptions > 5'
    dimension: ''
  }
  {
    anchor: 'queue-age'
    severity: 2
    text: 'The oldest message that is due has waited for more than thirty minutes.'
    window: 'PT30M'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.queueAge}" | extend ${dimensions.queue} = tostring(customDimensions["${dimensions.queue}"]) | ${latest} ${dimensions.queue} | where value > 1800'
    dimension: dimensions.queue
  }
  // Bulk work leaves API_RATE_LIMIT_RESERVE, a tenth, to people: it fills nine tenths at most.
  {
    anchor: 'limiter-saturated'
    severity: 3
    text: 'SafetyAmp\'s window has been nearly full for three hours: runs take longer than they should.'
    window: 'PT3H'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.limiterUsed}" | extend ${dimensions.service} = tostring(customDimensions["${dimensions.service}"]) | summarize used = avg(value), samples = count() by ${dimensions.service} | where used > 0.8 and samples > 10'
    dimension: dimensions.service
  }
  {
    anchor: 'failed-records'
    severity: 3
    text: 'More than 25 records fail: SafetyAmp refuses them, or they failed in the last run.'
    window: 'PT6H'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.failedRecords}" | extend ${dimensions.operation} = tostring(customDimensions["${dimensions.operation}"]) | ${latest} ${dimensions.operation} | summarize failed = sum(value) | where failed > 25'
    dimension: ''
  }
  {
    anchor: 'redis-away'
    severity: 3
    text: 'Redis has not answered for fifteen minutes. Runs go on, each process with its share of the limit, more slowly.'
    window: 'PT30M'
    frequency: 'PT15M'
    query: 'customMetrics | where name == "${metrics.redisUp}" | summarize up = maxif(value, timestamp > ago(16m)) | where up == 0'
    dimension: ''
  }
  {
    anchor: 'app-silent'
    severity: 1
    text: 'The sweep, due every five minutes, has not run for half an hour: the app is down or its telemetry is.'
    window: 'PT30M'
    frequency: 'PT15M'
    query: 'requests | where name == "${heartbeatFunction}" | summarize sweeps = count() | where sweeps == 0'
    dimension: ''
  }
  // The one query that asks the workspace. The cap stops what is paid for, not the workspace's own record of it.
  {
    anchor: 'daily-cap'
    severity: 2
    text: 'The workspace has reached its daily cap and takes no telemetry until its next day: all other alerts on it are blind.'
    window: 'PT1H'
    frequency: 'PT15M'
    query: '_LogOperation | where Category =~ "Ingestion" | where Detail contains "OverQuota"'
    dimension: ''
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in filter(rules, rule => withRedis || rule.anchor != 'redis-away'): {
    name: 'alert-${rule.anchor}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'SafetyAmp Sync: ${rule.anchor}'
      description: '${rule.text} What to do: ${runbookUrl}#${rule.anchor}'
      severity: rule.severity
      enabled: true
      scopes: [rule.anchor == 'daily-cap' ? workspace.id : insights.id]
      windowSize: rule.window
      evaluationFrequency: rule.frequency
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
            dimensions: empty(rule.dimension) ? [] : [
              { name: rule.dimension, operator: 'Include', values: ['*'] }
            ]
          }
        ]
      }
      actions: {
        actionGroups: [actionGroupId]
        customProperties: { runbook: '${runbookUrl}#${rule.anchor}' }
      }
    }
  }
]
