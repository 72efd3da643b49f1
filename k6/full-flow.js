// A user's whole way: registers, logs in, asks who he is, refreshes, asks again, logs out, and is out.

import { call, credentials, load, newUser, requireServer, runName } from './jeday.js';

export const { options, handleSummary } = load({
    name: 'full-flow',
    vus: 8,
    duration: '30s',
    operations: ['register', 'login', 'me', 'refresh', 'logout', 'me_after_logout'],
    p95Ms: 3000,
});

export function setup() {
    requireServer();
    return runName();
}

export default function (run) {
    const body = newUser(run);
    if (call('register', 'POST', '/auth/register', { body, expected: [201] }).status !== 201) {
        return;
    }
    const opened = call('login', 'POST', '/auth/login', { body: credentials(body), expected: [200] });
    if (opened.status !== 200) {
        return;
    }
    const first = opened.json();
    call('me', 'GET', '/auth/me', { token: first.access_token, expected: [200] });

    const refresh = { body: { refresh_token: first.refresh_token }, expected: [200] };
    const renewed = call('refresh', 'POST', '/auth/refresh', refresh);
    if (renewed.status !== 200) {
        return;
    }
    const token = renewed.json('access_token');
    call('me', 'GET', '/auth/me', { token, expected: [200] });
    call('logout', 'POST', '/auth/logout', { token, expected: [204] });
    call('me_after_logout', 'GET', '/auth/me', { token, expected: [401] });
}
