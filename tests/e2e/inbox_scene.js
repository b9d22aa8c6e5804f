/* inbox_scene -- an inbox as people have one, for pictures and for whoever looks at how it looks. */

import { INBOX, LOG } from './inbox_page.js';

const INCIDENT = { type: 'open', label: 'Open incident', url: '/incidents/7', secondary: { label: 'Acknowledge', name: 'ack' } };

/* Oldest first; the third is whether it is read. */
const NOTES = [
  ['Payment failed', 'The card ending in 4242 was declined.', true, 'LEVEL', 'error', 'CATEGORY', 'Billing'],
  ['Storage at 86 %', 'eu-west-1 grows by 2 % a day.', true, 'LEVEL', 'warning', 'CATEGORY', 'Builds', 'ACTION', '{"url":"https://status.example/storage"}'],
  ['You were mentioned in “Pricing”', 'Can you have a look at the second table?', false, 'LEVEL', 'info'],
  ['Build #4812 finished', '', false, 'LEVEL', 'success', 'CATEGORY', 'Builds', 'ACTION', '{"url":"/builds/4812"}'],
  ['Database primary is unreachable', 'Failover to eu-west-2 started. Replicas are up to date, writes are paused until it is done.', false, 'LEVEL', 'critical', 'ACTION', JSON.stringify(INCIDENT)],
];

export async function fill({ redis }) {
  await redis.cli('NOTIFY.FOLLOW', INBOX, LOG);
  await redis.cli('NOTIFY.SEND', LOG, 'Maintenance on Sunday', 'CONTENT', 'From 2 to 4 in the morning.', 'LEVEL', 'info', 'CATEGORY', 'Platform');
  for (const [title, content, isRead, ...words] of NOTES) {
    const id = await redis.cli('NOTIFY.SEND', INBOX, title, ...(content ? ['CONTENT', content] : []), ...words);
    if (isRead) await redis.cli('NOTIFY.READ', INBOX, id.replaceAll('"', ''));
  }
}

export const FILLED = NOTES.length + 1;
