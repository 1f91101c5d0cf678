import {createHmac} from 'node:crypto'
import t from 'tap'
import {
  judgeHostKey,
  knownHostName,
  knownKeyTypes,
  matchesPattern,
  parseKnownHosts,
} from '../../../src/core/codec/known-hosts.js'

const hmac = (salt: string, name: string): string =>
  createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64')

const A = 'AAAAC3NzaC1lZDI1NTE5AAAAIA'
const B = 'AAAAC3NzaC1lZDI1NTE5AAAAIB'

function judge(text: string, host: string, port: number, key = A, type = 'ssh-ed25519'): string {
  const entries = parseKnownHosts(text, 'kh')
  const verdict = judgeHostKey(entries, {host, port, keyType: type, keyBase64: key}, hmac)
  return 'entry' in verdict ? `${verdict.kind}:${verdict.entry.line}` : verdict.kind
}

const salt = 'b7hBOEHlXlwMBjYmQ0qY0C1Sp2M='
const hashed = `|1|${salt}|${hmac(salt, '[server1]:2222')}`

t.test('entries are matched as ssh matches them', async t => {
  const rows: readonly (readonly [string, string, number, string])[] = [
    [`server1 ssh-ed25519 ${A}`, 'server1', 22, 'known:1'],
    [`SERVER1 ssh-ed25519 ${A} comment here`, 'Server1', 22, 'known:1'],
    [`other,server1,10.0.0.1 ssh-ed25519 ${A}`, '10.0.0.1', 22, 'known:1'],
    [`server1 ssh-ed25519 ${B}`, 'server1', 22, 'changed:1'],
    [`server1 ssh-ed25519 ${B}\nserver1 ssh-ed25519 ${A}`, 'server1', 22, 'known:2'],
    [`server1 ssh-rsa ${B}`, 'server1', 22, 'unknown'],
    [`server2 ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`[server1]:2222 ssh-ed25519 ${A}`, 'server1', 2222, 'known:1'],
    [`[server1]:2222 ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`server1 ssh-ed25519 ${A}`, 'server1', 2222, 'known:1'],
    [`server1 ssh-ed25519 ${B}`, 'server1', 2222, 'unknown'],
    [`[server1]:2222 ssh-ed25519 ${B}\nserver1 ssh-ed25519 ${A}`, 'server1', 2222, 'changed:1'],
    [`${hashed} ssh-ed25519 ${A}`, 'server1', 2222, 'known:1'],
    [`${hashed} ssh-ed25519 ${A}`, 'server2', 2222, 'unknown'],
    [`*.example.org,!bad.example.org ssh-ed25519 ${A}`, 'a.example.org', 22, 'known:1'],
    [`*.example.org,!bad.example.org ssh-ed25519 ${A}`, 'bad.example.org', 22, 'unknown'],
    [`!bad.example.org ssh-ed25519 ${A}`, 'a.example.org', 22, 'unknown'],
    [`server? ssh-ed25519 ${A}`, 'server1', 22, 'known:1'],
    [`* ssh-ed25519 ${A}`, 'server1', 2222, 'known:1'],
    [`@revoked * ssh-ed25519 ${A}\nserver1 ssh-ed25519 ${A}`, 'server1', 22, 'revoked:1'],
    [`@revoked * ssh-ed25519 ${B}\nserver1 ssh-ed25519 ${A}`, 'server1', 22, 'known:2'],
    [`@revoked server1 ssh-ed25519 ${A}`, 'server1', 2222, 'revoked:1'],
    [`@cert-authority * ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`@unheard-of server1 ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`# server1 ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`server1 ssh-ed25519`, 'server1', 22, 'unknown'],
    [`server1 ssh-ed25519 not*base64`, 'server1', 22, 'unknown'],
    [`|2|x|y ssh-ed25519 ${A}`, 'server1', 22, 'unknown'],
    [`server1 ssh-ed25519 ${A}==\r`, 'server1', 22, 'known:1'],
    ['', 'server1', 22, 'unknown'],
  ]
  for (const [text, host, port, want] of rows)
    t.equal(judge(text, host, port), want, `${text} / ${host}:${port}`)
})

t.test(
  'an unknown key says which other types are known and whether an authority covers the host',
  async t => {
    const entries = parseKnownHosts(`server1 ssh-rsa ${B}\n@cert-authority server1 ssh-ed25519 ${B}`, 'kh')
    t.strictSame(
      judgeHostKey(entries, {host: 'server1', port: 22, keyType: 'ssh-ed25519', keyBase64: A}, hmac),
      {
        kind: 'unknown',
        otherTypes: ['ssh-rsa'],
        certAuthority: true,
      },
    )
  },
)

t.test('known key types are those to ask a host for, revoked ones left out', async t => {
  const text = `server1 ssh-rsa ${B}\nserver1 ssh-ed25519 ${A}\n@revoked server1 ssh-dss ${A}`
  t.strictSame(knownKeyTypes(parseKnownHosts(text, 'kh'), 'server1', 22, hmac), ['ssh-rsa', 'ssh-ed25519'])
  t.strictSame(knownKeyTypes(parseKnownHosts(text, 'kh'), 'server1', 2222, hmac), ['ssh-rsa', 'ssh-ed25519'])
})

t.test('names carry brackets and a port unless it is 22', async t => {
  t.equal(knownHostName('FE80::1', 22), 'fe80::1')
  t.equal(knownHostName('fe80::1', 23), '[fe80::1]:23')
})

t.test('hostile patterns take no exponential time', async t => {
  const started = performance.now()
  t.equal(matchesPattern('a'.repeat(5000), `${'*a'.repeat(500)}b`), false)
  t.ok(performance.now() - started < 2000)
})
