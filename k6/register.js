// Registrations, each of a user that nobody has registered before. Every one has to be confirmed by 201.

import { call, load, newUser, requireServer, runName } from './jeday.js';

export const { options, handleSummary } = load({
    name: 'register',
    vus: 50,
    duration: '30s',
    operations: ['register'],
    p95Ms: 500,
});

export function setup() {
    requireServer();
    return runName();
}

export default function (run) {
    call('register', 'POST', '/auth/register', { body: newUser(run), expected: [201] });
}
