// The simulation of gossip must prove its worth: each of these faults, put into the real core, is found by it.
import t from 'tap'
import {BroadcastQueue} from '../../src/core/gossip/broadcast-queue.js'
import {Leave} from '../../src/core/gossip/leave.js'
import {MemberTable} from '../../src/core/gossip/member-table.js'
import {Prober} from '../../src/core/gossip/prober.js'
import {SerfMembers} from '../../src/core/gossip/serf-members.js'
import {Swim} from '../../src/core/gossip/swim.js'
import {UserEvents} from '../../src/core/gossip/user-events.js'
import {runSeed} from './gossip-seed.js'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a fault reaches where no caller may
type Method = (this: any, ...args: any[]) => any

interface Planted {
  readonly fault: string
  readonly where: {readonly prototype: object}
  readonly method: string
  readonly change: (real: Method) => Method
}

const SEEDS = 150

const faults: readonly Planted[] = [
  {
    fault: 'accusations against ourselves are not refuted',
    where: Swim,
    method: 'refute',
    change: () => () => undefined,
  },
  {
    fault: 'a refutation does not outdo the accusation',
    where: Swim,
    method: 'refute',
    change: () =>
      function (node) {
        const {name, ip, port, meta, versions, incarnation} = node
        this.broadcast({type: 'alive', incarnation, node: name, ip, port, meta, versions})
      },
  },
  {
    fault: 'one that vanishes is said to have left',
    where: SerfMembers,
    method: 'gone',
    change: real =>
      function (node) {
        const record = this.members.get(node.name)
        if (record?.status === 'alive') record.status = 'leaving'
        real.call(this, node)
      },
  },
  {
    fault: 'talk of our leaving is not refuted',
    where: SerfMembers,
    method: 'broadcastJoin',
    change: () => () => undefined,
  },
  {
    fault: 'a suspicion never ends',
    where: Swim,
    method: 'expireSuspicions',
    change: () => () => undefined,
  },
  {
    fault: 'nobody is probed',
    where: MemberTable,
    method: 'nextToProbe',
    change: () => () => undefined,
  },
  {
    fault: 'the death is told before the intent to leave',
    where: Leave,
    method: 'begin',
    change: real =>
      function (token) {
        this.swim.leave(() => undefined)
        real.call(this, token)
      },
  },
  {
    fault: 'failed members are never tried again, nor told the news',
    where: SerfMembers,
    method: 'failedToReconnect',
    change: () => () => undefined,
  },
  {
    fault: 'a datagram is filled past its end',
    where: BroadcastQueue,
    method: 'take',
    change: real =>
      function (overhead, bytesMax, limit) {
        return real.call(this, overhead, bytesMax + 400, limit)
      },
  },
  {
    fault: 'the memory of events is not looked at',
    where: UserEvents,
    method: 'handle',
    change: real =>
      function (event) {
        this.ring.clear()
        return real.call(this, event)
      },
  },
  {
    fault: 'older words about a node count as much as newer',
    where: Swim,
    method: 'alive',
    change: real =>
      function (alive) {
        const node = this.table.get(alive.node)
        const newer =
          node === undefined ? alive.incarnation : Math.max(alive.incarnation, node.incarnation + 1)
        real.call(this, {...alive, incarnation: newer})
      },
  },
  {
    fault: 'a probe that failed is taken for one that went well',
    where: Prober,
    method: 'fail',
    change: () =>
      function () {
        this.succeed()
      },
  },
]

for (const {fault, where, method, change} of faults)
  t.test(`found: ${fault}`, t => {
    const prototype = where.prototype as Record<string, Method>
    const real = prototype[method] as Method
    prototype[method] = change(real)
    t.teardown(() => {
      prototype[method] = real
    })
    let found: string | undefined
    let seed = 0
    while (found === undefined && seed < SEEDS) found = runSeed(++seed).broken
    t.ok(found, `by seed ${seed}: ${found}`)
    t.end()
  })
