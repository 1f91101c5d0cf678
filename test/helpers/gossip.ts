import type {Test} from 'tap'
import type {Gossip, GossipSettings} from '../../src/agent/gossip/gossip.js'
import {startGossip} from '../../src/agent/gossip-driver.js'
import {allowEveryone} from '../../src/agent/peer-filter.js'
import {PROFILES} from '../../src/core/gossip/profile.js'

/** Starts gossip of ours on a free loopback port, as plain as can be but for `more`; it ends with the test. */
export async function ours(t: Test, name: string, more: Partial<GossipSettings> = {}): Promise<Gossip> {
  const gossip = await startGossip({
    name,
    bind: {ip: '127.0.0.1', port: 0},
    advertise: more.bind ?? {ip: '127.0.0.1', port: 0},
    tags: {role: 'web', dc: 'east'},
    profile: PROFILES.lan,
    key: undefined,
    keyringFile: undefined,
    verifyIncoming: true,
    verifyOutgoing: true,
    snapshotFile: undefined,
    rejoinAfterLeave: false,
    mergeRule: undefined,
    resolveNameConflicts: false,
    delegateProtocol: 4,
    filter: allowEveryone,
    log: () => undefined,
    ...more,
  })
  t.teardown(() => gossip.shutdown())
  return gossip
}

/** Where others join it. */
export const addressOf = ({address}: Gossip): string => `${address.ip}:${address.port}`
