import t from 'tap'
import {
  parseDate,
  parseDisk,
  parseFibTrie,
  parseIpAddresses,
  parseLs,
  parseStat,
} from '../../../src/core/codec/probe-host.js'

t.test('a date without a fraction is taken as the middle of its second', async t => {
  t.equal(parseDate('1795170182.682974314\n'), 1795170182.682974314)
  t.equal(parseDate('1795170182.%N\n'), 1795170182.5)
  t.equal(parseDate('1795170182.\n'), 1795170182.5)
  t.equal(parseDate('Fri Nov 20'), undefined)
})

t.test('addresses are read from ip and, where there is no ip, from the kernel', async t => {
  t.same(
    parseIpAddresses(
      '1: lo    inet 127.0.0.1/8 scope host lo\\ x\n2: eth0    inet 192.168.1.11/24 brd 192.168.1.255 scope global eth0\n' +
        '2: eth0    inet6 fe80::c0ff:fea8:111/64 scope link \n',
    ),
    ['127.0.0.1', '192.168.1.11', 'fe80::c0ff:fea8:111'],
  )
  t.same(
    parseFibTrie(
      'Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.168.1.0\n        /24 link UNICAST\n     |-- 192.168.1.11\n        /32 host LOCAL\n' +
        'Local:\n     |-- 192.168.1.11\n        /32 host LOCAL\n     |-- 192.168.1.255\n        /32 link BROADCAST\n' +
        'fd000000000000000000000000000002 04 40 00 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n',
    ),
    ['192.168.1.11', 'fd00::2', '::1'],
  )
})

t.test('stat tells owner, mode, size and what /proc/locks needs', async t => {
  t.same(parseStat('8180 800 801 65536 1795170171 39 991342 /var/my data/raft/raft.db\nnot a line\n'), [
    {
      path: '/var/my data/raft/raft.db',
      kind: 'file',
      mode: 0o600,
      uid: 800,
      gid: 801,
      sizeBytes: 65536,
      mtimeMs: 1795170171000,
      device: 39,
      inode: 991342,
    },
  ])
  t.equal(parseStat('41ed 0 0 4096 1 2 3 /d\n')[0]?.kind, 'directory')
  t.equal(parseStat('a1ff 0 0 4 1 2 3 /l\n')[0]?.kind, 'link')
})

t.test('ls serves where there is no stat', async t => {
  const now = Date.UTC(2026, 10, 20, 12)
  const [db, dir, old] = parseLs(
    ' 991342 -rw-------  1 800  801   65536 Nov 20 10:22 /var/consul/raft/raft.db\n' +
      '991341 drwxr-sr-t 3 0 0 4096 Dec 24 23:59 /var/consul/raft\n' +
      '5 lrwxrwxrwx 1 0 0 4 Jan  1  2020 /var/a -> b\n',
    now,
  )
  t.match(db, {
    path: '/var/consul/raft/raft.db',
    kind: 'file',
    mode: 0o600,
    uid: 800,
    inode: 991342,
    device: undefined,
  })
  t.equal(db?.mtimeMs, Date.UTC(2026, 10, 20, 10, 22))
  t.equal(dir?.mode, 0o3755)
  t.equal(dir?.mtimeMs, Date.UTC(2025, 11, 24, 23, 59), 'a date ahead of the clock is of last year')
  t.match(old, {path: '/var/a', kind: 'link', mtimeMs: Date.UTC(2020, 0, 1)})
})

t.test('the disk is that of the mount that covers the directory', async t => {
  const outputs = {
    df: 'Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/sdb1 1000 900 100 90% /var/my data\n',
    dfi: 'Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sdb1 50 49 1 98% /var/my data\n',
    mounts:
      '/dev/sda1 / ext4 rw 0 0\n/dev/x /var/my\\040data xfs rw 0 0\n/dev/sdb1 /var/my\\040data nfs4 ro,noatime 0 0\n',
  }
  t.same(parseDisk('/var/my data/consul', outputs, 7), {
    dataDir: '/var/my data/consul',
    fileSystem: 'nfs4',
    sizeBytes: 1_024_000,
    freeBytes: 102_400,
    freeInodes: 1,
    raftBytes: 7,
    readOnly: true,
  })
  t.equal(parseDisk('/x', {...outputs, df: ''}, undefined), undefined)
  t.equal(parseDisk('/x', {...outputs, dfi: 'x - - - - /var'}, 1)?.freeInodes, undefined)
})
