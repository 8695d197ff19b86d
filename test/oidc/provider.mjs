// Providers that people sign in with, on loopback: oidc-provider as one like Google and as one like
// Apple, and what GitHub's documentation says of its own. They run until the input ends.
import http from "node:http";
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { jwtVerify } from "jose";
import Provider, { interactionPolicy } from "oidc-provider";

const { CLIENT_ID, CLIENT_SECRET, APPLE_KEY, TEAM_ID, KEY_ID } = process.env;
let person; // who is signed in at all of them: {sub, email, verified, name}
const handlers = {};

const listen = (name) => new Promise((done) => {
  const server = http.createServer((req, res) => {
    if (handlers[name]) return handlers[name](req, res);
    res.writeHead(503).end();
  });
  server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${server.address().port}`));
});

const body = async (req) => {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  return Buffer.concat(chunks).toString();
};

const policy = () => {
  const all = interactionPolicy.base();
  all.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);
  return all;
};

// issuer is oidc-provider with one client.
function issuer(url, redirect, more) {
  const provider = new Provider(url, {
    clients: [{
      client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [redirect], response_types: ["code"], grant_types: ["authorization_code"],
      id_token_signed_response_alg: more.jwk.alg, ...more.client,
    }],
    // Google and Apple tell the address in the ID token.
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], name: ["name"] },
    scopes: ["openid", "email", "profile", "name"],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    jwks: { keys: [more.jwk] },
    interactions: { policy: policy(), url: (_, i) => `/interaction/${i.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => more.claims({ ...person, sub: id }) }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid email profile name");
      await grant.save();
      return grant;
    },
  });
  more.change?.(provider);
  const serve = provider.callback();
  return async (req, res) => {
    if (!req.url.startsWith("/interaction/")) return serve(req, res);
    await provider.interactionDetails(req, res);
    await provider.interactionFinished(req, res, { login: { accountId: person.sub }, select_account: {} });
  };
}

const jwk = async (alg) => {
  const { generateKeyPair, exportJWK } = await import("jose");
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), use: "sig", alg, kid: randomBytes(8).toString("hex") };
};

const google = async (url, redirect) => issuer(url, redirect, {
  jwk: await jwk("RS256"), client: { token_endpoint_auth_method: "client_secret_basic" },
  claims: (p) => ({ sub: p.sub, email: p.email, email_verified: p.verified, name: p.name }),
});

const apple = async (url, redirect) => {
  const key = createPublicKey(APPLE_KEY);
  return issuer(url, redirect, {
    jwk: await jwk("ES256"), client: { token_endpoint_auth_method: "client_secret_post" },
    // Apple writes true as a word, and tells the name in its form only.
    claims: (p) => ({ sub: p.sub, email: p.email, email_verified: String(p.verified) }),
    change(provider) {
      provider.Client.prototype.compareClientSecret = async (shown) => {
        const { payload, protectedHeader } = await jwtVerify(shown, key, { algorithms: ["ES256"], issuer: TEAM_ID, subject: CLIENT_ID, audience: url });
        return protectedHeader.kid === KEY_ID && payload.exp - payload.iat <= 15777000;
      };
    },
  });
};

// github answers as docs.github.com says: "Authorizing OAuth apps", "Get the authenticated user" and
// "List email addresses for the authenticated user".
const github = (url, redirect) => {
  const codes = new Map(), tokens = new Map();
  return async (req, res) => {
    const at = new URL(req.url, url), q = at.searchParams;
    const reply = (status, value) => res.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
    if (!req.headers["user-agent"]) return reply(403, { message: "Request forbidden by administrative rules." });
    if (at.pathname === "/login/oauth/authorize") {
      if (q.get("client_id") !== CLIENT_ID) return reply(404, {});
      const back = new URL(redirect);
      if (q.get("redirect_uri") !== redirect) back.searchParams.set("error", "redirect_uri_mismatch");
      else {
        const code = randomBytes(10).toString("hex");
        codes.set(code, { challenge: q.get("code_challenge"), scope: q.get("scope"), person });
        back.searchParams.set("code", code);
      }
      back.searchParams.set("state", q.get("state"));
      return res.writeHead(302, { location: back.href }).end();
    }
    if (at.pathname === "/login/oauth/access_token" && req.method === "POST") {
      const form = new URLSearchParams(await body(req)), known = codes.get(form.get("code"));
      codes.delete(form.get("code"));
      let out;
      if (form.get("client_id") !== CLIENT_ID || form.get("client_secret") !== CLIENT_SECRET) out = { error: "incorrect_client_credentials" };
      else if (!known || form.get("redirect_uri") !== redirect || createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url") !== known.challenge) out = { error: "bad_verification_code" };
      else {
        const token = "gho_" + randomBytes(18).toString("hex");
        tokens.set(token, known);
        out = { access_token: token, scope: known.scope.replaceAll(" ", ","), token_type: "bearer" };
      }
      // Errors come with 200, and in a form unless JSON was asked for.
      return res.writeHead(200, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }).end(new URLSearchParams(out).toString());
    }
    const known = tokens.get((req.headers.authorization ?? "").replace(/^Bearer /, ""));
    if (!known) return reply(401, { message: "Bad credentials" });
    const p = known.person;
    if (at.pathname === "/api/v3/user") return reply(200, { login: "octo-" + p.sub, id: Number(p.sub), name: p.name, email: null });
    if (at.pathname === "/api/v3/user/emails" && known.scope.includes("user:email")) {
      return reply(200, [
        { email: p.sub + "+octo@users.noreply.github.com", verified: true, primary: false, visibility: null },
        { email: p.email, verified: p.verified, primary: true, visibility: "private" },
      ]);
    }
    return reply(404, { message: "Not Found" });
  };
};

const make = { google, apple, github };
const urls = {};
for (const name of [...Object.keys(make), "desk"]) urls[name] = await listen(name);
// The desk is where the test says who is at the providers, and how the house is reached.
handlers.desk = async (req, res) => {
  const said = JSON.parse(await body(req));
  if (said.person) person = said.person;
  for (const [name, redirect] of Object.entries(said.redirects ?? {})) handlers[name] = await make[name](urls[name], redirect);
  res.end();
};
console.log(JSON.stringify(urls));
process.stdin.on("end", () => process.exit(0)).resume();
