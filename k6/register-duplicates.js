// The same new user twice at once, and once more: exactly one registration may be confirmed, whatever batch each is in.

import { check } from 'k6';
import http from 'k6/http';
import { call, load, newUser, observe, request, requireServer, runName } from './jeday.js';

export const { options, handleSummary } = load({
    name: 'register-duplicates',
    vus: 20,
    duration: '30s',
    operations: ['register_twice', 'register_again'],
    p95Ms: 500,
});

export function setup() {
    requireServer();
    return runName();
}

export default function (run) {
    const body = newUser(run);
    const expected = [201, 409];
    const twice = request('POST', '/auth/register', { body, expected });
    const statuses = http.batch([twice, twice]).map((response) => observe('register_twice', response, expected).status);
    check(statuses, { 'one of two is confirmed': () => statuses.filter((status) => status === 201).length === 1 });
    call('register_again', 'POST', '/auth/register', { body, expected: [409] });
}
