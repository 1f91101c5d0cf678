import type {FleetObservation} from './model/observation.js'
import type {Check, Verdict} from './model/verdict.js'
import {assert} from './assert.js'
import {checkCluster} from './verifying/cluster-checks.js'
import type {Evidence, Expectation, VerifyContext} from './verifying/expectation.js'
import {checkServer} from './verifying/server-checks.js'

/**
 * Judges whether a cluster has become what its plan promised, from samples taken one after another, oldest first.
 * It looks for what a mere leader hides: files deleted unread, ids that no server has, peer sets that differ, gossip
 * that will shrink the peer set at the next reconcile round, leaders that cannot write, contents that differ.
 */
export function judge(
  expectation: Expectation,
  samples: readonly FleetObservation[],
  context: VerifyContext,
): Verdict {
  const latest = samples.at(-1)
  assert(latest !== undefined, 'a verdict needs a sample')
  const servers = expectation.hosts.flatMap(host => {
    const seen = latest.servers.find(server => server.host === host.host)
    return seen === undefined ? [] : [{host, seen}]
  })
  const evidence: Evidence = {
    expectation,
    context,
    samples,
    latest,
    servers,
    settled: context.nowMs - context.startedAtMs >= context.settleMs,
  }
  const unseen = expectation.hosts.filter(host => !servers.some(judged => judged.host === host))
  const missing: Check[] = unseen.map(host => ({
    name: 'up',
    host: host.host,
    state: 'pending',
    text: 'it was not observed',
  }))
  const checks = [
    ...missing,
    ...servers.flatMap(judged => checkServer(evidence, judged)),
    ...checkCluster(evidence),
  ]
  return {verdict: verdictOf(checks), checks}
}

function verdictOf(checks: readonly Check[]): Verdict['verdict'] {
  if (checks.some(check => check.state === 'wrong')) return 'failed'
  return checks.some(check => check.state === 'pending') ? 'converging' : 'verified'
}
