// Users who are logged in and what they do, in shares: mixed, spike and soak are this under different loads.
// Each virtual user is one user; knows nothing of the load's shape.

import {
    call, credentials, newUser, own, prepare, registered, request, requireServer, runName, user,
} from './jeday.js';

// Of 1000 iterations. A judgement of what an application asks of its auth server: with each request who somebody is,
// every quarter of an hour for new tokens, and seldom the rest.
const SHARES = { me: 950, refresh: 25, register: 15, login: 8, wrong: 2 };

export const OPERATIONS = ['me', 'refresh', 'register', 'logout', 'login', 'login_wrong'];

// An access token that expires within this time is not used any more.
const EXPIRY_MARGIN_MS = 30000;

// Registers this many users and logs them in, so that the load begins with sessions.
export function open(count) {
    requireServer();
    const run = runName();
    const users = registered(run, count);
    const logins = users.map((user) => request('POST', '/auth/login', { body: credentials(user), expected: [200] }));
    const sessions = prepare(logins, 200).map((response, index) => session(response, users[index]));
    return { run, sessions };
}

function session(response, user) {
    const { access_token, refresh_token, expires_in } = response.json();
    return { user, access_token, refresh_token, expires: Date.now() + expires_in * 1000 };
}

// This virtual user's, from its first iteration on; without tokens after a login that failed.
let current;

// One iteration. `named` turns an operation's name into the one that it is timed by.
export function act({ run, sessions }, named = (operation) => operation) {
    current = current || own(sessions);
    if (!current.access_token) {
        login(named);
        return;
    }
    if (current.expires < Date.now() + EXPIRY_MARGIN_MS) {
        refresh(named);
    }
    let drawn = Math.random() * 1000;
    const [operation] = Object.entries(SHARES).find(([, share]) => (drawn -= share) < 0) || ['me'];
    operations[operation](named, run);
}

const operations = {
    me: (named) => call(named('me'), 'GET', '/auth/me', { token: current.access_token, expected: [200] }),
    refresh,
    register: (named, run) => {
        call(named('register'), 'POST', '/auth/register', { body: newUser(run), expected: [201] });
    },
    // As at another device: the session before ends.
    login: (named) => {
        call(named('logout'), 'POST', '/auth/logout', { token: current.access_token, expected: [204] });
        login(named);
    },
    // Nobody has this account, and the address is soon told to wait; neither may trouble the users above.
    wrong: (named, run) => {
        const body = credentials(user(run, 'nobody'));
        call(named('login_wrong'), 'POST', '/auth/login', { body, expected: [401, 429] });
    },
};

function login(named) {
    const body = credentials(current.user);
    const opened = call(named('login'), 'POST', '/auth/login', { body, expected: [200] });
    current = opened.status === 200 ? session(opened, current.user) : { user: current.user };
}

function refresh(named) {
    const body = { refresh_token: current.refresh_token };
    const renewed = call(named('refresh'), 'POST', '/auth/refresh', { body, expected: [200] });
    if (renewed.status === 200) {
        current = session(renewed, current.user);
    }
}
