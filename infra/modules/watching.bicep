// Everything that tells somebody: alerts, availability test, budget; and the workbook to look at.

import { Names } from 'types.bicep'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Names of the resources.')
param names Names

@description('Whether there is a Redis to watch.')
param withRedis bool

@description('Whether one place asks /ready instead of five.')
param onePlace bool

@description('Host name of the app.')
param hostName string

@description('E-mail addresses that alerts go to.')
param emails string[]

@description('Webhook that alerts go to as well.')
@secure()
param webhookUrl string

@description('Address of docs/runbook.md.')
param runbookUrl string

@description('Minutes between two scheduled runs.')
param syncIntervalMinutes int

@description('Budget a month.')
param monthlyBudget int

@description('First day of the month in which the budget begins.')
param budgetStart string

module group 'action-group.bicep' = {
  name: 'action-group'
  params: { tags: tags, name: 'ag-${names.app}', emails: emails, webhookUrl: webhookUrl }
}

module logAlerts 'log-alerts.bicep' = {
  name: 'log-alerts'
  params: {
    location: location
    tags: tags
    insightsName: names.insights
    workspaceName: names.workspace
    withRedis: withRedis
    actionGroupId: group.outputs.id
    runbookUrl: runbookUrl
    syncIntervalMinutes: syncIntervalMinutes
  }
}

module metricAlerts 'metric-alerts.bicep' = {
  name: 'metric-alerts'
  params: { tags: tags, names: names, withRedis: withRedis, actionGroupId: group.outputs.id, runbookUrl: runbookUrl }
}

module ruleAlerts 'rule-alerts.bicep' = {
  name: 'rule-alerts'
  params: { tags: tags, actionGroupId: group.outputs.id, runbookUrl: runbookUrl }
}

module availability 'availability.bicep' = {
  name: 'availability'
  params: {
    location: location
    tags: tags
    insightsName: names.insights
    onePlace: onePlace
    hostName: hostName
    actionGroupId: group.outputs.id
    runbookUrl: runbookUrl
  }
}

module budget 'budget.bicep' = {
  name: 'budget'
  params: {
    name: 'budget-${names.app}'
    amount: monthlyBudget
    startDate: budgetStart
    actionGroupId: group.outputs.id
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: { location: location, tags: tags, insightsName: names.insights }
}
