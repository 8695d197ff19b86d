// oauth4webapi, unmodified: stricter and lower than openid-client, and with the resource
// server's side of RFC 9068.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { Browser } from "./browser.mjs";

const { ISSUER, PAGES, APP_ID, APP_SECRET, SPA_ID, CLI_ID, KEY_ID, KEY_SECRET, BACK, SPA_BACK, USER_ID } = process.env;
const issuer = new URL(ISSUER);
for (const algorithm of ["oidc", "oauth2"]) {
  const found = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }));
  assert.equal(found.issuer, ISSUER);
}
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
const browser = new Browser();

async function code(client, auth, back, pushed) {
  const verifier = oauth.generateRandomCodeVerifier(), nonce = oauth.generateRandomNonce(), state = oauth.generateRandomState();
  const ask = new URLSearchParams({
    client_id: client.client_id, redirect_uri: back, response_type: "code", scope: "openid email offline_access iot", state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const to = new URL(as.authorization_endpoint);
  if (pushed) {
    const r = await oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, auth, ask));
    to.search = new URLSearchParams({ client_id: client.client_id, request_uri: r.request_uri }).toString();
  } else {
    to.search = ask.toString();
  }
  const parameters = oauth.validateAuthResponse(as, client, await browser.go(to.href, back), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, back, verifier);
  const result = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, response); // the ID token's signature, after our keys
  return { result, parameters, verifier };
}

async function guarded(token) {
  const request = new Request(ISSUER + "/v1/spaces", { headers: { authorization: "Bearer " + token } });
  return oauth.validateJwtAccessToken(as, request, "https://api2.arduino.cc/iot", { requireDPoP: false });
}

for (const [client, auth, back, pushed] of [
  [{ client_id: APP_ID }, oauth.ClientSecretBasic(APP_SECRET), BACK, false],
  [{ client_id: APP_ID }, oauth.ClientSecretPost(APP_SECRET), BACK, true],
  [{ client_id: SPA_ID }, oauth.None(), SPA_BACK, false],
  [{ client_id: SPA_ID }, oauth.None(), SPA_BACK, true],
]) {
  const { result, parameters, verifier } = await code(client, auth, back, pushed);
  const claims = oauth.getValidatedIdTokenClaims(result);
  assert.equal(claims.sub, USER_ID);
  const access = await guarded(result.access_token);
  assert.equal(access.client_id, client.client_id);
  assert.equal(access.sub, USER_ID);

  const info = await oauth.processUserInfoResponse(as, client, USER_ID, await oauth.userInfoRequest(as, client, result.access_token));
  assert.equal(info.email, "anna@example.org");
  assert.equal(info.name, undefined); // the scope profile was not asked for

  const renewed = await oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, result.refresh_token));
  await guarded(renewed.access_token);

  if (client.client_id === APP_ID) {
    const told = await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, renewed.access_token));
    assert.equal(told.active, true);
    assert.equal(told.scope, "openid email offline_access iot");
  }

  // The code a second time: refused, and all that came of it ends.
  const replay = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, back, verifier);
  await assert.rejects(oauth.processAuthorizationCodeResponse(as, client, replay), (e) => e.error === "invalid_grant");
  const dead = await oauth.refreshTokenGrantRequest(as, client, auth, renewed.refresh_token);
  await assert.rejects(oauth.processRefreshTokenResponse(as, client, dead), (e) => e.error === "invalid_grant");
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, renewed.refresh_token));
}

// Another issuer in the answer is noticed, which is what the answer's iss is for.
const mixed = new URL(BACK + "?code=x&state=abc&iss=https://evil.example");
assert.throws(() => oauth.validateAuthResponse(as, { client_id: APP_ID }, mixed, "abc"), /iss/);

const key = { client_id: KEY_ID };
const machine = await oauth.processClientCredentialsResponse(as, key, await oauth.clientCredentialsGrantRequest(as, key, oauth.ClientSecretBasic(KEY_SECRET), new URLSearchParams()));
assert.equal(machine.token_type, "bearer");
const wrong = await oauth.clientCredentialsGrantRequest(as, key, oauth.ClientSecretBasic("wrong"), new URLSearchParams());
await assert.rejects(oauth.processClientCredentialsResponse(as, key, wrong), (e) => e instanceof oauth.WWWAuthenticateChallengeError || e.error === "invalid_client");

const cli = { client_id: CLI_ID };
const begun = await oauth.processDeviceAuthorizationResponse(as, cli, await oauth.deviceAuthorizationRequest(as, cli, oauth.None(), new URLSearchParams({ scope: "openid iot" })));
const ask = async () => oauth.processDeviceCodeResponse(as, cli, await oauth.deviceCodeGrantRequest(as, cli, oauth.None(), begun.device_code));
await assert.rejects(ask(), (e) => e.error === "authorization_pending");
await assert.rejects(ask(), (e) => e.error === "slow_down");
assert.equal((await fetch(PAGES + "/deny?user_code=" + begun.user_code)).status, 200);
await assert.rejects(ask(), (e) => e.error === "access_denied");
console.log("ok");
