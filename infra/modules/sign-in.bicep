// App Service Authentication before the function app, which signs people and applications in by Entra. It checks no
// role and lets everybody through: the app itself guards the routes of people, and the host those of a key
// (docs/decisions/0018-people-have-routes-of-their-own.md). Both slots have the same, whether or not a swap moves it.

import { Names } from 'types.bicep'

@description('Names of the resources.')
param names Names

@description('Client id of the app registration.')
param clientId string

@description('Whether there is a staging slot.')
param hasStaging bool

var authentication = {
  platform: { enabled: true, runtimeVersion: '~1' }
  // No path is excluded: with AllowAnonymous none needs to be, neither probes nor scripts with a key.
  globalValidation: {
    requireAuthentication: false
    unauthenticatedClientAction: 'AllowAnonymous'
    redirectToProvider: 'azureactivedirectory'
  }
  httpSettings: { requireHttps: true }
  identityProviders: {
    azureActiveDirectory: {
      enabled: true
      registration: {
        clientId: clientId
        openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        // No secret: the identity in this setting stands for one, by its federated credential.
        clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
      }
      validation: { allowedAudiences: ['api://${clientId}'] }
    }
  }
  login: {
    tokenStore: { enabled: true }
    preserveUrlFragmentsForLogins: true
    cookieExpiration: { convention: 'FixedTime', timeToExpiration: '08:00:00' }
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: names.app

  resource staging 'slots' existing = {
    name: 'staging'
  }
}

resource onApp 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: authentication
}

resource onStaging 'Microsoft.Web/sites/slots/config@2025-03-01' = if (hasStaging) {
  parent: app::staging
  name: 'authsettingsV2'
  properties: authentication
}
