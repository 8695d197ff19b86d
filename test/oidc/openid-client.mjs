// openid-client, unmodified, through what its users do.
import assert from "node:assert/strict";
import * as client from "openid-client";
import { Browser } from "./browser.mjs";

const { ISSUER, PAGES, APP_ID, APP_SECRET, CLI_ID, KEY_ID, KEY_SECRET, BACK, BYE, USER_ID } = process.env;
const issuer = new URL(ISSUER);
const app = await client.discovery(issuer, APP_ID, undefined, client.ClientSecretBasic(APP_SECRET));
const meta = app.serverMetadata();
assert.equal(meta.issuer, ISSUER);
assert.equal(meta.authorization_response_iss_parameter_supported, true);

async function signIn(config, browser, how, more = {}) {
  const verifier = client.randomPKCECodeVerifier(), nonce = client.randomNonce(), state = client.randomState();
  const parameters = {
    redirect_uri: BACK, scope: "openid profile email offline_access iot", state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...more,
  };
  const to = how === "pushed" ? await client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters);
  if (how === "pushed") assert.deepEqual([...to.searchParams.keys()].sort(), ["client_id", "request_uri"]);
  const back = await browser.go(to.href, BACK);
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true, ...(more.max_age !== undefined && { maxAge: more.max_age }) });
}

// Code and PKCE: the person signs in, and agrees, once.
const browser = new Browser();
const first = await signIn(app, browser);
assert.deepEqual(browser.pages, ["/sign-in", "/consent"]);
assert.equal(first.claims().sub, USER_ID);
assert.equal(first.expires_in, 600);
const info = await client.fetchUserInfo(app, first.access_token, first.claims().sub);
assert.equal(info.email, "anna@example.org");
assert.equal(info.name, "Somebody");

// The same, with a secret in the body, pushed, and for somebody who is signed in already.
const posts = await client.discovery(issuer, APP_ID, undefined, client.ClientSecretPost(APP_SECRET));
const second = await signIn(posts, browser, "pushed");
assert.deepEqual(browser.pages, ["/sign-in", "/consent"]);
assert.equal(second.claims().auth_time, first.claims().auth_time);
const again = await signIn(app, browser, "", { prompt: "login", max_age: 60 });
assert.deepEqual(browser.pages, ["/sign-in", "/consent", "/sign-in"]);
assert.ok(again.claims().auth_time >= first.claims().auth_time);
await assert.rejects(signIn(app, new Browser(), "", { prompt: "none" }), (e) => e.error === "login_required");

// Refresh: tokens take turns.
const renewed = await client.refreshTokenGrant(app, first.refresh_token);
assert.notEqual(renewed.refresh_token, first.refresh_token);
assert.equal(renewed.claims().sub, first.claims().sub);

// The API takes the token.
const spaces = await client.fetchProtectedResource(app, renewed.access_token, new URL("/v1/spaces", ISSUER), "GET");
assert.equal(spaces.status, 200);
assert.equal((await spaces.json()).length, 1);

// Introspection and revocation.
assert.equal((await client.tokenIntrospection(app, renewed.access_token)).sub, USER_ID);
assert.equal((await client.tokenIntrospection(app, renewed.refresh_token)).active, true);
await client.tokenRevocation(app, renewed.refresh_token);
assert.equal((await client.tokenIntrospection(app, renewed.access_token)).active, false);
await assert.rejects(client.refreshTokenGrant(app, renewed.refresh_token), (e) => e.error === "invalid_grant");

// An API key.
const key = await client.discovery(issuer, KEY_ID, undefined, client.ClientSecretBasic(KEY_SECRET));
const machine = await client.clientCredentialsGrant(key, { audience: "https://api2.arduino.cc/iot" });
assert.equal(machine.expires_in, 300);
assert.equal((await client.fetchProtectedResource(key, machine.access_token, new URL("/v1/spaces", ISSUER), "GET")).status, 200);

// A device without a browser.
const cli = await client.discovery(issuer, CLI_ID, undefined, client.None());
const begun = await client.initiateDeviceAuthorization(cli, { scope: "openid offline_access iot" });
assert.match(begun.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/);
assert.equal((await fetch(PAGES + "/approve?user_code=" + begun.user_code)).status, 200);
const device = await client.pollDeviceAuthorizationGrant(cli, begun);
assert.equal(device.claims().sub, USER_ID);

// Signing out.
const out = await browser.go(client.buildEndSessionUrl(app, { id_token_hint: again.id_token, post_logout_redirect_uri: BYE, state: "x" }).href, BYE);
assert.equal(out.href, BYE + "?state=x");
await assert.rejects(signIn(app, browser, "", { prompt: "none" }), (e) => e.error === "login_required");
console.log("ok");
