import {createCipheriv, createDecipheriv, randomBytes} from 'node:crypto'
import {MessageType} from '../../core/wire/memberlist.js'

/**
 * The encryption of memberlist (security.go): AES-GCM with a key of 16, 24 or 32 bytes, as `version nonce ciphertext
 * tag`. What is sealed is bound to additional data: on UDP the label, on TCP the head of the stream and the label.
 */

const NONCE_BYTES = 12
const TAG_BYTES = 16
const BLOCK_BYTES = 16
/** Version 1 has no padding. Version 0, of memberlist's first protocol, is opened but never written. */
const VERSION = 1

/** Bytes that sealing adds to a packet. */
export const SEAL_BYTES = 1 + NONCE_BYTES + TAG_BYTES

const cipherOf = (key: Uint8Array): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' => {
  if (key.length === 16) return 'aes-128-gcm'
  return key.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm'
}

function seal(plain: Uint8Array, key: Uint8Array, additional: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(cipherOf(key), key, nonce)
  cipher.setAAD(additional)
  const sealed = [cipher.update(plain), cipher.final()]
  return Buffer.concat([Uint8Array.of(VERSION), nonce, ...sealed, cipher.getAuthTag()])
}

function openWith(sealed: Uint8Array, key: Uint8Array, additional: Uint8Array): Uint8Array | undefined {
  const bodyEnd = sealed.length - TAG_BYTES
  const decipher = createDecipheriv(cipherOf(key), key, sealed.subarray(1, 1 + NONCE_BYTES))
  decipher.setAAD(additional)
  decipher.setAuthTag(sealed.subarray(bodyEnd))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, bodyEnd)), decipher.final()])
  } catch {
    return undefined
  }
}

function open(
  sealed: Uint8Array,
  keys: readonly Uint8Array[],
  additional: Uint8Array,
): Uint8Array | undefined {
  const version = sealed[0]
  if ((version !== 0 && version !== VERSION) || sealed.length < SEAL_BYTES) return undefined
  for (const key of keys) {
    const plain = openWith(sealed, key, additional)
    if (plain !== undefined) return version === 0 ? withoutPadding(plain) : plain
  }
  return undefined
}

function withoutPadding(plain: Uint8Array): Uint8Array | undefined {
  const padding = plain[plain.length - 1]
  if (padding === undefined || padding === 0 || padding > BLOCK_BYTES || padding > plain.length)
    return undefined
  return plain.subarray(0, plain.length - padding)
}

const labelBytes = (label: string): Uint8Array => new TextEncoder().encode(label)

/** A packet sealed with the primary key, to be sent as it is (or behind its label). */
export function sealPacket(plain: Uint8Array, key: Uint8Array, label = ''): Uint8Array {
  return seal(plain, key, labelBytes(label))
}

/** The plain packet; undefined when none of the keys, tried in order, opens it. */
export function openPacket(
  sealed: Uint8Array,
  keys: readonly Uint8Array[],
  label = '',
): Uint8Array | undefined {
  return open(sealed, keys, labelBytes(label))
}

/** A stream's message sealed with the primary key, with the head that tells its length. */
export function sealStream(plain: Uint8Array, key: Uint8Array, label = ''): Uint8Array {
  const header = new Uint8Array(5)
  header[0] = MessageType.encrypt
  new DataView(header.buffer).setUint32(1, plain.length + SEAL_BYTES)
  return Buffer.concat([header, seal(plain, key, Buffer.concat([header, labelBytes(label)]))])
}

/** The plain message of an encrypted stream; undefined when no key opens it. `header` is its first five bytes. */
export function openStream(
  {
    header,
    sealed,
    label = '',
  }: {readonly header: Uint8Array; readonly sealed: Uint8Array; readonly label?: string},
  keys: readonly Uint8Array[],
): Uint8Array | undefined {
  return open(sealed, keys, Buffer.concat([header, labelBytes(label)]))
}
