// For infra/provision: copy to production.bicepparam and fill in. No secrets belong here.
using 'main.bicep'

param environmentName = 'prod'
// small, private, slots or container: see infra/README.md for what each brings and costs.
param size = 'small'
// infra/provision puts in what the slots run now; empty before the first release. Without it the deployment fails,
// instead of taking the code away.
param packages = {
  production: readEnvironmentVariable('PRODUCTION_PACKAGE')
  staging: readEnvironmentVariable('STAGING_PACKAGE')
}

param safetyampFqdn = 'yourcompany.safetyamp.com'
param graphTenantId = '00000000-0000-0000-0000-000000000000'
param graphClientId = '00000000-0000-0000-0000-000000000000'
param syncSettings = {
  // SAFETYAMP_VEHICLE_SITE_ID: '12'
  // SAFETYAMP_VEHICLE_ASSET_TYPE_ID: '34'
}

// The way to Vista: one of these, or none.
param onPremises = { kind: 'none' }
// param onPremises = { kind: 'peering', hubNetworkId: '/subscriptions/.../virtualNetworks/hub', useHubGateway: true }
// param onPremises = { kind: 'vpn', deviceAddress: '203.0.113.10', addressPrefixes: ['192.168.10.0/24'] }
// param vpnSharedKey = readEnvironmentVariable('VPN_SHARED_KEY')

// People sign in with roles instead of sharing a key: infra/README.md, section Signing in.
// param signIn = 'entra'
// param signInClientId = '00000000-0000-0000-0000-000000000000'

// Your office's public address: you set secrets and read documents from there.
param operatorAddresses = ['203.0.113.7']
// az ad signed-in-user show --query id --output tsv
param operatorId = '00000000-0000-0000-0000-000000000000'
// Of a service principal:
// az ad sp show --id CLIENT_ID --query id --output tsv
// param operatorType = 'ServicePrincipal'
param alertEmails = ['it@yourcompany.example']
// param alertWebhookUrl = readEnvironmentVariable('ALERT_WEBHOOK_URL')
// By default 60 for small, 400 for slots, 200 for the others.
// param monthlyBudget = 60
// The first of the month of the first deployment; leave it as it is afterwards.
param budgetStart = '2026-12-01'
param githubRepository = ''
// What `gh api repos/OWNER/NAME/actions/oidc/customization/sub --jq .sub_claim_prefix` prints; empty: repo:owner/name.
param githubSubjectPrefix = ''
