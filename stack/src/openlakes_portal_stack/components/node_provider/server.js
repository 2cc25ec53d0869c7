// node's oidc-provider on loopback http, for tests and development: `node server.js PORT`. It says "ready" when it listens.
//
// PKCE is demanded, refresh tokens rotate, sign-out is told to clients, tokens are exchanged (RFC 8693) by a grant of
// our own. Below /admin/ the tests play the administrator. State is kept in memory.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { errors, Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const CLIENT = 'openlakes-portal';

const people = new Map(
  Object.entries({
    alice: { groups: ['/platform/admins', '/data/engineers'], audiences: ['airflow', 'superset'] },
    bob: { groups: ['/data/analysts'], audiences: ['superset'] },
    carol: { groups: ['/data/engineers'], audiences: ['airflow', 'superset'] },
    dave: { groups: [], audiences: ['superset'] },
  }),
);

// Everything the provider stores, by kind and id; the tests' administrator looks into it.
const stored = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const until = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    stored.set(this.key(id), { model: this.model, id, payload, until });
  }

  async find(id) {
    const entry = stored.get(this.key(id));
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    return entriesOf('Session').find((entry) => entry.payload.uid === uid)?.payload;
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    stored.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    forgetGrant(grantId);
  }
}

function entriesOf(model) {
  return [...stored.values()].filter((entry) => entry.model === model && entry.until > Date.now());
}

function forgetGrant(grantId) {
  for (const [key, entry] of stored) if (entry.payload.grantId === grantId) stored.delete(key);
}

function account(username) {
  const person = people.get(username);
  if (!person || person.disabled) return undefined;
  return {
    accountId: username,
    claims: () => ({
      sub: username,
      preferred_username: username,
      name: `${username[0].toUpperCase()}${username.slice(1)} Test`,
      email: `${username}@example.test`,
      email_verified: true,
      groups: person.groups,
    }),
  };
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signing = { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex'), use: 'sig', alg: 'RS256' };

const provider = new Provider(issuer, {
  adapter: Adapter,
  jwks: { keys: [signing] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
    acr: null,
    auth_time: null,
    iss: null,
    sid: null,
  },
  conformIdTokenClaims: false,
  clientDefaults: { require_auth_time: true },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 36000, IdToken: 300, Interaction: 600, RefreshToken: 36000, Session: 36000 },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        const button = '<button form="op.logoutForm" name="logout" value="yes">Sign out everywhere</button>';
        ctx.body = `<!doctype html><title>Sign out</title>${form}${button}`;
      },
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => target(resource),
    },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (ctx, username) => account(username),
  loadExistingGrant,
  // Its own guard refuses loopback, where our portal listens.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

// Nobody is asked for consent.
async function loadExistingGrant(ctx) {
  const { client, session, params, provider: { Grant } } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const grant = (known && (await Grant.find(known))) || new Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

function target(audience) {
  if (!['airflow', 'superset'].includes(audience)) throw new errors.InvalidTarget();
  return { audience, scope: '', accessTokenFormat: 'jwt', accessTokenTTL: 300 };
}

async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest('subject_token_type must be an access token');
  if (Array.isArray(params.audience) || !params.audience) throw new errors.InvalidTarget('name one audience');
  const subject = await provider.AccessToken.find(params.subject_token ?? '');
  if (!subject || subject.clientId !== client.clientId) throw new errors.InvalidRequest('invalid subject_token');
  const person = account(subject.accountId);
  if (!person) throw new errors.InvalidRequest('invalid subject_token');
  const resource = target(params.audience);
  if (!people.get(subject.accountId).audiences.includes(params.audience)) throw new errors.InvalidTarget();
  const token = new provider.AccessToken({
    client,
    accountId: subject.accountId,
    grantId: subject.grantId,
    sessionUid: subject.sessionUid,
    sid: subject.sid,
    expiresWithSession: subject.expiresWithSession,
    gty: 'token_exchange',
  });
  token.resourceServer = new provider.ResourceServer(params.audience, resource);
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: token.expiration,
  };
}

const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'scope'];
provider.registerGrantType(EXCHANGE, exchange, parameters, ['audience']);
await new Adapter('Client').upsert(CLIENT, {
  client_id: CLIENT,
  client_secret: process.env.CLIENT_SECRET,
  grant_types: ['authorization_code', 'refresh_token', EXCHANGE],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback'],
  post_logout_redirect_uris: ['http://127.0.0.1/'],
  token_endpoint_auth_method: 'client_secret_basic',
  backchannel_logout_session_required: true,
});
const isLoopback = (uri) => ['127.0.0.1', 'localhost'].includes(new URL(uri).hostname);
provider.Client.prototype.redirectUriAllowed = isLoopback;
provider.Client.prototype.postLogoutRedirectUriAllowed = isLoopback;

// What an administrator does: POST /admin/<deed> with a JSON body.
const deeds = {
  async disable({ username }) {
    people.get(username).disabled = true;
  },
  async enable({ username }) {
    people.get(username).disabled = false;
  },
  async logout({ username }) {
    for (const { id, payload } of entriesOf('Session').filter((entry) => entry.payload.accountId === username)) {
      stored.delete(`Session:${id}`);
      for (const [clientId, { sid, grantId }] of Object.entries(payload.authorizations ?? {})) {
        forgetGrant(grantId);
        const client = await provider.Client.find(clientId);
        if (client.backchannelLogoutUri) await client.backchannelLogout(username, sid);
      }
    }
  },
  async backchannel({ url }) {
    const adapter = new Adapter('Client');
    const { backchannel_logout_uri: old, ...client } = await adapter.find(CLIENT);
    await adapter.upsert(CLIENT, url ? { ...client, backchannel_logout_uri: url } : client);
  },
};

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

// Our own sign-in page: any of the people, with the password `<username>-pw`.
async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === 'POST') {
    const form = new URLSearchParams(await body(request));
    const username = form.get('username');
    if (account(username) && form.get('password') === `${username}-pw`) {
      const login = { accountId: username, acr: '1', amr: ['pwd'] };
      return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
    }
  }
  const problem = request.method === 'POST' ? '<p>Invalid username or password, or a disabled account.</p>' : '';
  response.writeHead(200, { 'content-type': 'text/html' });
  return response.end(
    `<!doctype html><title>Sign in (${details.prompt.name})</title>${problem}` +
      '<form method="post" id="sign-in"><input name="username"><input name="password" type="password">' +
      '<button>Sign in</button></form>',
  );
}

const rest = provider.callback();
const server = createServer(async (request, response) => {
  try {
    const [, first, second] = new URL(request.url, issuer).pathname.split('/');
    if (first === 'interaction') return await interaction(request, response);
    if (first === 'favicon.ico') return response.writeHead(204).end();
    if (first === 'admin' && request.method === 'POST' && Object.hasOwn(deeds, second)) {
      await deeds[second](JSON.parse(await body(request)));
      return response.writeHead(204).end();
    }
    return await rest(request, response);
  } catch (problem) {
    console.error(problem);
    return response.writeHead(500, { 'content-type': 'text/plain' }).end(String(problem));
  }
});
server.listen(port, '127.0.0.1', () => console.log('ready'));
