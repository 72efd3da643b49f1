// Users who are logged in: they mostly ask who they are, refresh now and then, and some register, log in or mistype.

import { load } from './jeday.js';
import { OPERATIONS, act, open } from './sessions.js';

const { options, handleSummary, shape } = load({
    name: 'mixed',
    vus: 20,
    duration: '1m',
    operations: OPERATIONS,
    p95Ms: 3000,
});

export { options, handleSummary };

export const setup = () => open(shape.vus);

export default function (data) {
    act(data);
}
