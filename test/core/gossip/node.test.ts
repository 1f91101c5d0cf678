import t from 'tap'
import type {GossipEffect, GossipEvent} from '../../../src/core/gossip/messages.js'
import {GossipNode, metaOf} from '../../../src/core/gossip/node.js'
import {versionProblem} from '../../../src/core/gossip/exchange.js'
import {PROFILES} from '../../../src/core/gossip/profile.js'
import type {GossipOptions} from '../../../src/core/gossip/step-context.js'
import type {PushNodeState} from '../../../src/core/wire/gossip-stream.js'
import {decodeStreamMessage} from '../../../src/core/wire/gossip-stream.js'
import type {Alive, PacketMessage, Versions} from '../../../src/core/wire/memberlist.js'
import {encodeMessage, OUR_VERSIONS} from '../../../src/core/wire/memberlist.js'
import {readPacket} from '../../../src/core/wire/packet.js'
import type {SerfMessage, SerfState} from '../../../src/core/wire/serf.js'
import {decodeSerf, encodeSerf} from '../../../src/core/wire/serf.js'
import {Chance} from '../../simulation/chance.js'

const BETA = {ip: '10.0.0.2', port: 7946}

/** A node and what it said, driven by hand. */
class Driven {
  nowMs = 0
  readonly effects: GossipEffect[] = []
  readonly node: GossipNode

  constructor(more: Partial<GossipOptions> = {}) {
    this.node = new GossipNode(
      {
        name: 'us',
        advertise: {ip: '10.0.0.1', port: 7946},
        tags: {role: 'web'},
        profile: PROFILES.lan,
        random: new Chance(1).real,
        sealOverhead: 0,
        delegateProtocol: 4,
        mergeRule: undefined,
        resolveNameConflicts: false,
        restored: undefined,
        ...more,
      },
      0,
    )
    this.step({on: 'tick'})
  }

  step(event: GossipEvent): readonly GossipEffect[] {
    const effects = this.node.step(event, this.nowMs)
    this.effects.push(...effects)
    return effects
  }

  hear(message: PacketMessage, from = BETA): readonly GossipEffect[] {
    return this.step({on: 'packet', from, bytes: encodeMessage(message)})
  }

  hearSerf(message: SerfMessage): readonly GossipEffect[] {
    return this.hear({type: 'user', payload: encodeSerf(message)})
  }

  /** Lets time pass, waking the node when it wants to be. */
  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs = Math.min(end, this.node.nextDeadlineMs())
      this.step({on: 'tick'})
    }
  }

  status(name: string): string | undefined {
    return this.node.member(name)?.status
  }

  changes(): readonly string[] {
    return this.effects.flatMap(effect =>
      effect.do === 'member-changed' ? [`${effect.change} ${effect.member.name}`] : [],
    )
  }

  /** All messages that went out in packets. */
  sent(): readonly PacketMessage[] {
    return this.effects.flatMap(effect => {
      const packet = effect.do === 'send-packet' ? readPacket(effect.bytes) : undefined
      return packet?.ok ? packet.value.parts.map(({message}) => message) : []
    })
  }

  sentSerf(): readonly SerfMessage[] {
    return this.sent().flatMap(message => {
      const serf = message.type === 'user' ? decodeSerf(message.payload) : undefined
      return serf?.ok ? [serf.value] : []
    })
  }
}

const alive = (more: Partial<Alive> = {}): Alive => ({
  type: 'alive',
  incarnation: 1,
  node: 'beta',
  ...BETA,
  meta: metaOf({role: 'db'}) ?? new Uint8Array(0),
  versions: OUR_VERSIONS,
  ...more,
})

t.test('a node is known when it is said to be alive, and only newer words of it count', t => {
  const us = new Driven()
  us.hear(alive())
  t.match(us.node.member('beta'), {ip: '10.0.0.2', tags: {role: 'db'}, status: 'alive'})
  us.hear(alive({meta: metaOf({role: 'x'}) as Uint8Array}))
  t.equal(us.node.member('beta')?.tags['role'], 'db', 'the same incarnation is no news')
  us.hear(alive({incarnation: 2, meta: metaOf({role: 'x'}) as Uint8Array}))
  t.equal(us.node.member('beta')?.tags['role'], 'x')
  t.same(us.changes(), ['join us', 'join beta', 'update beta'])
  t.end()
})

t.test('an address is kept until its owner left, or was dead for half a minute', t => {
  const us = new Driven()
  us.hear(alive())
  us.hear(alive({incarnation: 9, ip: '10.0.0.9'}))
  t.equal(us.node.member('beta')?.ip, '10.0.0.2', 'the first keeps the name')
  us.hear({type: 'dead', incarnation: 1, node: 'beta', from: 'gamma'})
  us.hear(alive({incarnation: 9, ip: '10.0.0.9'}))
  t.equal(us.status('beta'), 'failed')
  us.nowMs += 31_000
  us.hear(alive({incarnation: 9, ip: '10.0.0.9'}))
  t.match(us.node.member('beta'), {ip: '10.0.0.9', status: 'alive'})
  us.hear({type: 'dead', incarnation: 9, node: 'beta', from: 'beta'})
  us.hear(alive({incarnation: 1, ip: '10.0.0.2'}))
  t.match(us.node.member('beta'), {ip: '10.0.0.2', status: 'alive'})
  t.end()
})

t.test('an accusation against us is refuted with a higher incarnation', t => {
  const us = new Driven()
  us.hear(alive())
  us.hear({type: 'suspect', incarnation: 7, node: 'us', from: 'beta'})
  us.hear({type: 'dead', incarnation: 12, node: 'us', from: 'beta'})
  us.pass(2000)
  const words = us.sent().filter(message => message.type === 'alive' && message.node === 'us')
  t.match(words[words.length - 1], {incarnation: 13})
  t.equal(us.status('us'), 'alive')
  t.equal(us.node.stats().healthScore > 0, true, 'and counts against our health')
  us.hear({type: 'dead', incarnation: 0xffff_ffff, node: 'us', from: 'beta'})
  t.equal(us.status('us'), 'alive', 'even one that cannot be outdone does not kill us in our own eyes')
  t.end()
})

t.test('one that does not answer is pinged by helpers and by stream, suspected, and dies at last', t => {
  const us = new Driven()
  us.hear(alive())
  us.hear(alive({node: 'gamma', ip: '10.0.0.3'}))
  us.hear(alive({node: 'delta', ip: '10.0.0.4'}))
  us.pass(1600)
  t.ok(us.sent().some(message => message.type === 'ping'))
  const asked = us.sent().filter(message => message.type === 'indirect-ping')
  t.ok(asked.length >= 2, 'both others are asked')
  t.match(asked[0], {nack: true, sourceNode: 'us', sourceIp: '10.0.0.1'})
  t.ok(us.effects.some(effect => effect.do === 'open-stream'))
  us.pass(60_000)
  t.same(
    us.changes().filter(change => change.startsWith('failed')).length,
    3,
    'nobody answered at all: all die',
  )
  t.end()
})

t.test('an ack in time, even by way of a helper, ends a probe well', t => {
  const us = new Driven()
  us.hear(alive())
  for (let i = 0; i < 200; i++) {
    us.pass(100)
    for (const message of us.sent()) {
      if (message.type === 'ping') us.hear({type: 'ack', seqNo: message.seqNo, payload: new Uint8Array(0)})
    }
    us.effects.length = 0
  }
  t.equal(us.status('beta'), 'alive')
  t.equal(us.node.stats().healthScore, 0)
  t.end()
})

t.test('pings are answered where their sender is known to be, and those for others are not', t => {
  const us = new Driven()
  us.hear(alive())
  const ping = {type: 'ping', seqNo: 5, node: 'us', sourceIp: '', sourcePort: 0, sourceNode: ''} as const
  const stranger = {ip: '10.9.9.9', port: 999}
  t.match(us.hear(ping, stranger), [{do: 'send-packet', to: stranger}])
  t.same(
    us.hear({...ping, node: 'other'}, stranger).filter(({do: what}) => what === 'send-packet'),
    [],
  )
  const lied = {...ping, sourceIp: '10.8.8.8', sourcePort: 53, sourceNode: 'nobody'}
  t.match(us.hear(lied, stranger), [{to: stranger}], 'nobody can aim our answers at a third')
  const beta = {...ping, sourceIp: BETA.ip, sourcePort: BETA.port, sourceNode: 'beta'}
  t.match(us.hear(beta, {ip: BETA.ip, port: 40_000}), [{to: BETA}])
  t.end()
})

t.test('an indirect ping is passed on, its answer brought back, and its failure told', t => {
  const us = new Driven()
  us.hear(alive())
  us.hear(alive({node: 'gamma', ip: '10.0.0.3'}))
  us.pass(400)
  us.effects.length = 0
  const request = {
    type: 'indirect-ping',
    seqNo: 77,
    targetIp: '10.0.0.3',
    targetPort: 7946,
    node: 'gamma',
    nack: true,
    sourceIp: BETA.ip,
    sourcePort: BETA.port,
    sourceNode: 'beta',
  } as const
  us.hear(request)
  const ping = us.sent().find(message => message.type === 'ping' && message.node === 'gamma')
  us.hear({type: 'ack', seqNo: ping?.type === 'ping' ? ping.seqNo : 0, payload: new Uint8Array(0)})
  t.ok(us.sent().some(message => message.type === 'ack' && message.seqNo === 77))
  us.hear({...request, seqNo: 78})
  us.pass(600)
  t.ok(us.sent().some(message => message.type === 'nack' && message.seqNo === 78))
  us.hear({...request, seqNo: 79, targetIp: '10.66.6.6'})
  t.ok(us.sent().some(message => message.type === 'nack' && message.seqNo === 79))
  t.notOk(
    us.effects.some(effect => effect.do === 'send-packet' && effect.to.ip === '10.66.6.6'),
    'strangers are not pinged',
  )
  t.end()
})

t.test(
  'leave intent and death make one that left; death alone one that failed; a late intent mends that',
  t => {
    const us = new Driven()
    us.hear(alive())
    us.hearSerf({type: 'leave', ltime: 5, node: 'beta', prune: false})
    t.equal(us.status('beta'), 'leaving')
    us.hear({type: 'dead', incarnation: 1, node: 'beta', from: 'beta'})
    t.equal(us.status('beta'), 'left')
    us.hear(alive({node: 'gamma', ip: '10.0.0.3'}))
    us.hear({type: 'dead', incarnation: 1, node: 'gamma', from: 'gamma'})
    t.equal(us.status('gamma'), 'failed')
    us.hearSerf({type: 'leave', ltime: 6, node: 'gamma', prune: false})
    t.equal(us.status('gamma'), 'left')
    us.hearSerf({type: 'leave', ltime: 7, node: 'gamma', prune: true})
    t.equal(us.status('gamma'), undefined)
    t.same(us.changes().slice(-2), ['leave gamma', 'reap gamma'])
    t.end()
  },
)

t.test('intents count by their Lamport time, early ones are kept, and one about us is refuted', t => {
  const us = new Driven()
  us.hearSerf({type: 'leave', ltime: 9, node: 'beta', prune: false})
  us.hear(alive())
  t.equal(us.status('beta'), 'leaving', 'the intent came first')
  us.hearSerf({type: 'join', ltime: 8, node: 'beta'})
  t.equal(us.status('beta'), 'leaving')
  us.hearSerf({type: 'join', ltime: 10, node: 'beta'})
  t.equal(us.status('beta'), 'alive')
  us.effects.length = 0
  us.hearSerf({type: 'leave', ltime: 50, node: 'us', prune: false})
  us.pass(1000)
  t.equal(us.status('us'), 'alive')
  const joins = us.sentSerf().filter(message => message.type === 'join' && message.node === 'us')
  t.ok(joins.some(message => message.type === 'join' && message.ltime > 50))
  t.end()
})

t.test('an accepted intent is passed on as often as the pool demands, and unchanged', t => {
  const us = new Driven()
  us.hear(alive())
  us.effects.length = 0
  const intent = {type: 'join', ltime: 3, node: 'beta'} as const
  us.hearSerf(intent)
  us.hearSerf(intent)
  us.pass(5000)
  const passed = us.sentSerf().filter(message => message.type === 'join')
  t.same(
    passed,
    Array.from({length: 8}, () => intent),
  )
  t.end()
})

const state = (more: Partial<SerfState> = {}): Uint8Array =>
  encodeSerf({
    type: 'push-pull',
    ltime: 20,
    statusLTimes: new Map(),
    leftMembers: [],
    eventLTime: 30,
    events: [],
    queryLTime: 40,
    ...more,
  })
const node = (name: string, more: Partial<PushNodeState> = {}): PushNodeState => ({
  name,
  ip: '10.0.0.5',
  port: 7946,
  meta: new Uint8Array(0),
  incarnation: 1,
  state: 'alive',
  versions: OUR_VERSIONS,
  ...more,
})

t.test('an exchange brings members and clocks; hearsay of a death is a suspicion only', t => {
  const us = new Driven()
  const nodes = [node('a'), node('b', {ip: '10.0.0.6'})]
  const answer = us.step({
    on: 'stream-message',
    token: 4,
    from: BETA,
    message: {
      type: 'push-pull',
      join: true,
      nodes,
      userState: state({statusLTimes: new Map([['b', 3]]), leftMembers: ['c']}),
    },
  })
  const reply = answer.find(effect => effect.do === 'answer-stream')
  const read = decodeStreamMessage(
    reply?.do === 'answer-stream' ? (reply.bytes ?? new Uint8Array(0)) : new Uint8Array(0),
  )
  t.match(read, {ok: true, value: {type: 'push-pull', join: true, nodes: [{name: 'us', state: 'alive'}]}})
  t.equal(us.node.members().length, 3)
  t.match(us.node.stats(), {memberTime: 20, eventTime: 30, queryTime: 40})
  const told = {...node('b', {ip: '10.0.0.6'}), state: 'dead'} as const
  const message = {
    type: 'push-pull',
    join: false,
    nodes: [told, node('a', {state: 'left'})],
    userState: state(),
  } as const
  us.step({on: 'stream-message', token: 5, from: BETA, message})
  t.equal(us.status('b'), 'alive', 'it gets its time to refute')
  t.equal(us.status('a'), 'failed', 'gone, and nobody told us that it meant to')
  us.step({
    on: 'stream-message',
    token: 6,
    from: BETA,
    message: {
      ...message,
      nodes: [],
      userState: state({statusLTimes: new Map([['a', 1]]), leftMembers: ['a']}),
    },
  })
  t.equal(us.status('a'), 'left')
  t.end()
})

t.test('an exchange is refused whole for one node whose protocol others do not speak', t => {
  const versions = (more: Partial<Versions>): Versions => ({...OUR_VERSIONS, ...more})
  const old = node('old', {versions: versions({delegateMax: 4})})
  t.equal(versionProblem([old], [node('us')]), undefined)
  t.match(
    versionProblem([old], [node('us', {versions: versions({delegateCur: 5})})]),
    /us speaks Serf protocol 5, others 2 to 4/,
  )
  t.match(versionProblem([node('mute', {versions: undefined})], []), /mute does not say/)
  t.match(
    versionProblem([node('dead', {state: 'dead', versions: versions({protocolCur: 9})})], [node('us')]),
    /dead speaks gossip protocol 9/,
  )
  const us = new Driven({
    mergeRule: applicants => (applicants.some(({name}) => name === 'bad') ? 'no' : undefined),
  })
  const message = {
    type: 'push-pull',
    join: true,
    nodes: [node('good'), node('bad', {ip: '10.0.0.6'})],
    userState: state(),
  } as const
  us.step({on: 'stream-message', token: 1, from: BETA, message})
  t.equal(us.node.members().length, 1, 'the rule refuses all')
  us.hear(alive({node: 'bad'}))
  t.equal(us.node.members().length, 1, 'and one by one')
  t.end()
})

t.test('an event is told once, ever older ones never', t => {
  const us = new Driven()
  const event = {
    type: 'user-event',
    ltime: 600,
    name: 'deploy',
    payload: Uint8Array.of(1),
    coalesce: true,
  } as const
  for (let i = 0; i < 3; i++) us.hearSerf(event)
  us.hearSerf({...event, payload: Uint8Array.of(2)})
  us.hearSerf({...event, ltime: 80})
  us.hearSerf({...event, ltime: 599})
  const told = us.effects.filter(effect => effect.do === 'user-event')
  t.same(
    told.map(effect => (effect.do === 'user-event' ? [effect.lamportTime, effect.payload[0]] : [])),
    [
      [600, 1],
      [600, 2],
      [599, 1],
    ],
  )
  t.end()
})

t.test('remembered events take no more than four megabytes, and room comes with new times', t => {
  const us = new Driven()
  const payload = new Uint8Array(9000)
  const fire = (ltime: number, i: number): number =>
    us
      .hearSerf({type: 'user-event', ltime, name: `e${i}`, payload, coalesce: false})
      .filter(effect => effect.do === 'user-event').length
  let told = 0
  for (let i = 0; i < 2000; i++) told += fire(100 + (i % 400), i)
  t.ok(told * 9000 < 4_200_000 && told * 9000 > 4_000_000)
  t.equal(fire(100 + 512, 9999), 1)
  t.end()
})

t.test('a query is for whom its filters say, is answered to members only, and once', t => {
  const us = new Driven()
  us.hear(alive())
  const query = {
    type: 'query',
    ltime: 1,
    id: 9,
    ...BETA,
    sourceNode: 'beta',
    filters: [],
    flags: 1,
    relayFactor: 0,
    timeoutMs: 1000,
    name: 'load',
    payload: Uint8Array.of(3),
  } as const
  us.hearSerf(query)
  us.hearSerf(query)
  const asked = us.effects.filter(effect => effect.do === 'query-received')
  t.match(asked, [{name: 'load', from: 'beta', deadlineMs: 1000}])
  const [first] = asked
  const queryId = first?.do === 'query-received' ? first.queryId : 0
  us.step({on: 'query-answer', queryId, payload: Uint8Array.of(4)})
  us.step({on: 'query-answer', queryId, payload: Uint8Array.of(5)})
  const answers = us.sentSerf().filter(message => message.type === 'query-response')
  t.match(answers, [{flags: 1}, {flags: 0, payload: Uint8Array.of(4)}])
  t.equal(answers.length, 2)
  us.hearSerf({...query, id: 10, filters: [{filter: 'tag', tag: 'role', expression: '^db'}]})
  us.hearSerf({...query, id: 11, filters: [{filter: 'nodes', nodes: ['beta']}]})
  us.hearSerf({...query, id: 12, filters: [{filter: 'unknown'}]})
  t.equal(us.effects.filter(effect => effect.do === 'query-received').length, 1)
  us.effects.length = 0
  us.hearSerf({...query, id: 13, ip: '10.77.7.7'})
  t.notOk(us.effects.some(effect => effect.do === 'send-packet' && effect.to.ip === '10.77.7.7'))
  t.end()
})

t.test('we leave by intent, then by death, and answer for a while yet', t => {
  const us = new Driven()
  us.hear(alive())
  us.pass(3000)
  us.effects.length = 0
  us.step({on: 'leave', token: 8})
  us.pass(500)
  t.ok(us.sentSerf().some(message => message.type === 'leave' && message.node === 'us'))
  t.notOk(us.sent().some(message => message.type === 'dead' && message.node === 'us'))
  us.pass(3000)
  t.ok(us.sent().some(message => message.type === 'dead' && message.node === 'us' && message.from === 'us'))
  t.notOk(us.effects.some(effect => effect.do === 'left'))
  us.pass(5000)
  t.ok(us.effects.some(effect => effect.do === 'left' && effect.token === 8))
  const lines = us.effects.flatMap(effect => (effect.do === 'append-snapshot' ? effect.lines : []))
  t.equal(lines[lines.length - 1], 'leave')
  t.end()
})

t.test('nothing that strangers send stops a node or makes it grow without bound', t => {
  const us = new Driven()
  us.hear(alive())
  const chance = new Chance(99)
  const seeds = [
    encodeMessage(alive()),
    encodeMessage({type: 'suspect', incarnation: 1, node: 'beta', from: 'x'}),
    encodeMessage({type: 'user', payload: state({statusLTimes: new Map([['z', 5]])})}),
    encodeMessage({type: 'user', payload: encodeSerf({type: 'leave', ltime: 4, node: 'q', prune: true})}),
  ]
  for (let i = 0; i < 20_000; i++) {
    const bytes = chance.pick(seeds).slice()
    for (let flips = chance.below(4); flips > 0; flips--)
      bytes[chance.below(bytes.length)] = chance.below(256)
    us.nowMs += 0.1
    us.step({on: 'packet', from: BETA, bytes})
    us.effects.length = 0
  }
  for (let i = 0; i < 10_000; i++) {
    us.hearSerf({type: 'leave', ltime: i, node: `ghost${i}`, prune: false})
    us.hearSerf({type: 'user-event', ltime: 700, name: `e${i}`, payload: new Uint8Array(9), coalesce: false})
    us.effects.length = 0
  }
  us.pass(20_000)
  const {intentQueue, eventQueue} = us.node.stats()
  t.ok(intentQueue <= 4096 && eventQueue <= 4096)
  t.ok(us.node.members().every(({name}) => !/[\n\r]/.test(name)))
  t.ok(us.node.members().length < 2000)
  t.end()
})
