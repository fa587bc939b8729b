// Who is told of alerts.

@description('Tags.')
param tags object

@description('Name of the group.')
param name string

@description('E-mail addresses.')
param emails string[]

@description('Address of a webhook (Teams workflow, pager) that takes Azure\'s common alert schema; empty: none.')
@secure()
param webhookUrl string

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'safetyamp'
    enabled: true
    emailReceivers: [
      for (email, index) in emails: { name: 'email-${index}', emailAddress: email, useCommonAlertSchema: true }
    ]
    webhookReceivers: empty(webhookUrl) ? [] : [
      { name: 'webhook', serviceUri: webhookUrl, useCommonAlertSchema: true }
    ]
  }
}

output id string = group.id
