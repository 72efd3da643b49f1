// Logins with the right password, each virtual user with an account of its own. Every one costs an Argon2id hash, so
// the password cores set the rate, and a closed model with more virtual users only waits longer.

import { call, credentials, load, own, registered, requireServer, runName } from './jeday.js';

const { options, handleSummary, shape } = load({
    name: 'login',
    vus: 8,
    duration: '30s',
    operations: ['login'],
    p95Ms: 3000,
});

export { options, handleSummary };

export function setup() {
    requireServer();
    return registered(runName(), shape.vus);
}

export default function (users) {
    call('login', 'POST', '/auth/login', { body: credentials(own(users)), expected: [200] });
}
