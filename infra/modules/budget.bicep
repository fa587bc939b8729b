// The month's budget of the resource group. It tells; it stops nothing.

@description('Name of the budget.')
param name string

@description('Amount a month, in the subscription\'s currency.')
param amount int

@description('First day of the month in which the budget begins.')
param startDate string

@description('Who is told.')
param actionGroupId string

var anchor = 'cost'

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: '${name}-${anchor}'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: {
      actual80: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: []
        contactGroups: [actionGroupId]
      }
      forecast100: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: []
        contactGroups: [actionGroupId]
      }
    }
  }
}
