// An OpenID provider on loopback, over TLS: node issuer.mjs NODE_MODULES CONFIGURATION
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { pathToFileURL } from 'node:url';

const [, , modules, file] = process.argv;
const library = pathToFileURL(`${modules}/oidc-provider/lib/index.js`);
const { default: Provider } = await import(library);
const configured = JSON.parse(readFileSync(file));
const { issuer, port, certificate, key, jwks, clients } = configured;

// It keeps nothing of tokens that are JWTs, and so cannot say what became of them. With `keeps` they
// are kept as opaque ones are, and looked up by their jti.
const jti = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).jti;
const kept = async (_, token) => {
  const { getValueAndPayload } = await import(
    pathToFileURL(`${modules}/oidc-provider/lib/models/formats/opaque.js`)
  );
  const { payload } = await getValueAndPayload(provider, token);
  await token.adapter.upsert(token.jti, payload, token.remainingTTL);
};
const byJti = async (ctx, next) => {
  if (/^\/token\/(introspection|revocation)$/.test(ctx.path)) {
    let body = '';
    for await (const part of ctx.req) body += part;
    const form = Object.fromEntries(new URLSearchParams(body));
    ctx.req.body = { ...form, token: form.token.includes('.') ? jti(form.token) : form.token };
  }
  await next();
};

const resource = (audience) => ({
  audience,
  scope: 'orders:read orders:write',
  accessTokenFormat: 'jwt',
  accessTokenTTL: configured.ttl ?? 300,
});

// Documents of clients are on this machine, which the provider would not connect to.
const here = (url, { dispatcher, ...options }) => fetch(url, options);

const provider = new Provider(issuer, {
  fetch: here,
  jwks,
  clients,
  cookies: { keys: ['for a test'] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, ...configured.people?.[id] }),
  }),
  // What is said of people stands in their ID tokens.
  ...(configured.people && {
    claims: { openid: ['sub', 'roles'], profile: ['name'] },
    conformIdTokenClaims: false,
  }),
  extraTokenClaims: () => ({ roles: ['user'] }),
  ...(configured.rotate && { rotateRefreshToken: () => true }),
  ...(configured.keeps && { formats: { customizers: { jwt: kept } } }),
  features: {
    ...configured.features,
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, wanted) => resource(wanted),
    },
  },
});

if (configured.keeps) provider.use(byJti);

// One line a token that was given, for tests that count them.
provider.on('grant.success', (ctx) => console.log(`granted ${ctx.oidc.params.grant_type}`));
provider.on('grant.error', (ctx, error) => console.log(`refused ${error.message}`));

const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
createServer(tls, provider.callback()).listen(port, '127.0.0.1');
