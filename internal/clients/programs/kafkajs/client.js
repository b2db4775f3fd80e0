// What kafkajs does with a broker and a registry: one line per step, "ok STEP: …" or "failed STEP: …".
//
// usage: client.js CONFIG.json (package internal/clients writes it and reads the lines)
'use strict'

const fs = require('node:fs')
const { Kafka, Partitioners, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry')

// kafkajs alone knows gzip; crmstream writes its topics with snappy.
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec

const WAIT = 20_000 // ms for anything that a broker has to do

const config = JSON.parse(fs.readFileSync(process.argv[2]))
const kafka = new Kafka({ brokers: config.brokers.split(','), clientId: config.prefix, logLevel: logLevel.NOTHING, requestTimeout: 10_000, retry: { retries: 4 } })
const registry = new SchemaRegistry({ host: config.registry })
const admin = kafka.admin()
const open = new Set() // what a failed step leaves running
let crashed = null // why a consumer of this step gave up

const want = (condition, what) => {
  if (!condition) throw new Error(what)
}

/** The answer of a promise, or an error after ms. */
function within(ms, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Waits until a condition holds: what is changed in a cluster is not seen everywhere at once. */
async function until(what, condition) {
  const end = Date.now() + WAIT
  while (!(await condition())) {
    if (crashed) throw crashed
    want(Date.now() < end, typeof what === 'function' ? what() : what)
    await new Promise((r) => setTimeout(r, 20))
  }
}

async function topic(name, numPartitions = 1, configs = {}) {
  const full = `${config.prefix}.${name}`
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic: full, numPartitions, replicationFactor: 1, configEntries }], waitForLeaders: true })
  return full
}

async function opened(client) {
  await client.connect()
  open.add(client)
  return client
}

async function closed(client) {
  open.delete(client)
  await client.disconnect()
}

const producer = (settings = {}) => opened(kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...settings }))

async function send(topic, messages) {
  const p = await producer()
  await p.send({ topic, messages, acks: -1 })
  await closed(p)
}

/** A consumer that keeps what it reads in .seen and its partitions in .mine. */
async function consumer(topic, group, settings = {}) {
  const c = await opened(kafka.consumer({ groupId: `${config.prefix}.${group}`, sessionTimeout: 10_000, heartbeatInterval: 500, maxWaitTimeInMs: 200, ...settings }))
  c.seen = []
  c.mine = []
  c.on(c.events.GROUP_JOIN, (e) => {
    c.mine = e.payload.memberAssignment[topic] ?? []
  })
  c.on(c.events.CRASH, (e) => {
    crashed = e.payload.error
  })
  await c.subscribe({ topic, fromBeginning: true })
  await c.run({ autoCommit: false, eachMessage: async ({ partition, message }) => c.seen.push({ partition, key: message.key, value: message.value, offset: message.offset }) })
  return c
}

const commit = (c, topic, seen = c.seen) => {
  const next = new Map()
  for (const m of seen) next.set(m.partition, Math.max(next.get(m.partition) ?? 0, Number(m.offset) + 1))
  return c.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })))
}

/** What a reader of its own group sees of a topic once n records came. */
async function values(topic, group, n, readUncommitted) {
  const c = await consumer(topic, group, { readUncommitted })
  await until(() => `${c.seen.length} of ${n} records came`, () => c.seen.length >= n)
  await closed(c)
  return c.seen.map((m) => m.value.toString())
}

function call(kind, n) {
  const ended = Date.now()
  return {
    call_id: `${config.prefix}-${kind}-${n}`, revision: 1, direction: 'outbound', started_at: ended - 90_000, ended_at: ended, duration_seconds: 90,
    from_number: '+14155550100', to_number: '+14155551234', contact_id: null, crm_link: null, agent_email: 'rep@example.com', disposition: 'Connected',
    notes: null, recording_id: null, time_zone: null, score: null,
  }
}

/** Sends a call of each tenant; returns how many are not in their tenant's partition. */
async function sendCalls(kind, p) {
  const id = await registry.getLatestSchemaId(config.calls + '-value')
  let elsewhere = 0
  let n = 0
  for (const [tenant, partition] of Object.entries(config.tenants)) {
    const value = await registry.encode(id, call(kind, n++))
    const [answer] = await p.send({ topic: config.calls, acks: -1, messages: [{ key: tenant, value }] })
    if (answer.partition !== partition) elsewhere++
  }
  await closed(p)
  return elsewhere
}

const steps = {
  async metadata() {
    const topics = await admin.listTopics()
    want(topics.includes(config.calls), `${config.calls} is not listed`)
    const { brokers } = await admin.describeCluster()
    return `${brokers.length} broker, ${topics.length} topics`
  },

  async produce() {
    const elsewhere = await sendCalls('set', await producer())
    want(elsewhere === 0, `${elsewhere} calls are in other partitions than their tenant's`)
    return `${Object.keys(config.tenants).length} calls with Partitioners.DefaultPartitioner`
  },

  async 'default-partitioner'() {
    const elsewhere = await sendCalls('default', await opened(kafka.producer()))
    want(elsewhere === 0, `${elsewhere} calls are in other partitions than their tenant's`)
  },

  async read() {
    const c = await consumer(config.sync, 'read')
    const read = () => c.seen.filter((m) => config.samples[m.key.toString()])
    const n = Object.keys(config.samples).length
    await until(() => `${read().length} of ${n} records came`, () => read().length >= n)
    await closed(c)
    for (const m of read()) {
      const record = await registry.decode(m.value)
      want(record.logged[0].id === config.samples[m.key.toString()], `${m.key} reads as ${JSON.stringify(record)}`)
    }
    return `${n} records of ${config.sync}`
  },

  async compression() {
    const name = await topic('compression')
    const p = await producer()
    for (const compression of [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy]) {
      await p.send({ topic: name, compression, messages: [{ value: `${compression} `.repeat(100) }] })
    }
    await closed(p)
    const got = await values(name, 'compression', 3)
    want(got.join() === [0, 1, 2].map((n) => `${n} `.repeat(100)).join(), 'what was read is not what was sent')
    return 'none, gzip, and snappy by kafkajs-snappy'
  },

  async group() {
    const name = await topic('group', 6)
    const messages = []
    for (let i = 0; i < 60; i++) messages.push({ partition: i % 6, value: String(i) })
    await send(name, messages.slice(0, 30))
    const first = await consumer(name, 'group')
    await until(() => `${first.seen.length} of 30 records came`, () => first.seen.length >= 30)
    await commit(first, name)
    const second = await consumer(name, 'group')
    await until(() => `the members have ${first.mine.length} and ${second.mine.length} of 6 partitions`, () => first.mine.length === 3 && second.mine.length === 3)
    await send(name, messages.slice(30))
    const distinct = () => new Set([...first.seen, ...second.seen].map((m) => m.value.toString())).size
    await until(() => `${distinct()} of 60 records came`, () => distinct() === 60)
    await commit(first, name, first.seen.filter((m) => first.mine.includes(m.partition)))
    await commit(second, name, second.seen.filter((m) => second.mine.includes(m.partition)))
    const [{ partitions }] = await admin.fetchOffsets({ groupId: `${config.prefix}.group`, topics: [name] })
    want(partitions.every((p) => p.offset === '10'), `committed are ${partitions.map((p) => p.offset)}`)
    const again = first.seen.length + second.seen.length - 60
    await closed(first)
    await closed(second)
    const third = await consumer(name, 'group')
    await until('the third member was given nothing', () => third.mine.length === 6)
    await send(name, [{ partition: 0, value: 'last' }])
    await until('nothing new came', () => third.seen.length > 0)
    want(third.seen[0].value.toString() === 'last', 'a committed record came again')
    await closed(third)
    return `60 records, ${again} of them twice, 6 partitions shared 3 and 3`
  },

  async transaction() {
    const name = await topic('transaction')
    const p = await producer({ transactionalId: `${config.prefix}.transaction`, maxInFlightRequests: 1, idempotent: true })
    for (const [value, end] of [['kept', 'commit'], ['dropped', 'abort'], ['last', 'commit']]) {
      const t = await p.transaction()
      await t.send({ topic: name, messages: [0, 1, 2].map((n) => ({ value: `${value} ${n}` })) })
      await t[end]()
    }
    await closed(p)
    const committed = await values(name, 'txn-committed', 6, false)
    want(committed.join() === 'kept 0,kept 1,kept 2,last 0,last 1,last 2', `read_committed shows ${committed}`)
    const everything = await values(name, 'txn-all', 9, true)
    want(everything.length === 9, `read_uncommitted shows ${everything}`)
    return 'read_committed shows the committed ones only'
  },

  async 'transaction-offsets'() {
    const name = await topic('txn-target')
    const source = await topic('txn-source')
    const consumerGroupId = `${config.prefix}.txn-offsets`
    await send(source, Array.from({ length: 10 }, (_, n) => ({ value: String(n) })))
    const p = await producer({ transactionalId: `${config.prefix}.txn-offsets`, maxInFlightRequests: 1, idempotent: true })
    for (const [offset, end] of [['5', 'commit'], ['10', 'abort']]) {
      const t = await p.transaction()
      await t.send({ topic: name, messages: [{ value: offset }] })
      await t.sendOffsets({ consumerGroupId, topics: [{ topic: source, partitions: [{ partition: 0, offset }] }] })
      await t[end]()
      const [{ partitions }] = await admin.fetchOffsets({ groupId: consumerGroupId, topics: [source] })
      want(partitions[0].offset === '5', `the group is at ${partitions[0].offset}, not at 5`)
    }
    await closed(p)
    return 'the aborted batch moved no offset'
  },

  async fencing() {
    const name = await topic('fencing')
    const settings = { transactionalId: `${config.prefix}.fencing`, maxInFlightRequests: 1, idempotent: true }
    const old = await producer(settings)
    const left = await old.transaction()
    await left.send({ topic: name, messages: [{ value: 'of the old' }] })
    const young = await producer(settings)
    const t = await young.transaction()
    await t.send({ topic: name, messages: [{ value: 'of the new' }] })
    const error = await left.commit().then(() => null, (e) => e)
    want(error, 'the older producer could commit')
    await t.commit()
    const got = await values(name, 'fencing', 1, false)
    want(got.join() === 'of the new', `read_committed shows ${got}`)
    return error.type ?? error.message
  },

  // The successor has done nothing yet: neither a commit nor an abort may let the older producer go on.
  async 'fencing-idle'() {
    for (const end of ['commit', 'abort']) {
      const name = await topic(`fencing-${end}`)
      const settings = { transactionalId: `${config.prefix}.fencing-${end}`, maxInFlightRequests: 1, idempotent: true }
      const old = await producer(settings)
      const left = await old.transaction()
      await left.send({ topic: name, messages: [{ value: 'of the old' }] })
      const t = await (await producer(settings)).transaction() // kafkajs starts it here, not when it connects
      const goOn = async () => {
        await left[end]()
        const again = await old.transaction()
        await again.send({ topic: name, messages: [{ value: 'of the old, come back' }] })
        await again.commit()
      }
      const error = await goOn().then(() => null, (e) => e)
      want(error, `the older producer could go on after its ${end}`)
      await t.send({ topic: name, messages: [{ value: 'of the new' }] })
      await t.commit()
      const got = await values(name, `fencing-${end}`, 1, false)
      want(got.join() === 'of the new', `read_committed shows ${got}`)
    }
    return 'by commit and by abort'
  },

  async 'admin-topics'() {
    const name = await topic('admin-topics', 2, { 'retention.ms': '3600000' })
    want((await admin.createTopics({ topics: [{ topic: name }] })) === false, 'a topic could be made twice')
    await admin.createPartitions({ topicPartitions: [{ topic: name, count: 4 }] })
    await until('it has not four partitions', async () => (await admin.fetchTopicMetadata({ topics: [name] })).topics[0].partitions.length === 4)
    await admin.deleteTopics({ topics: [name] })
    await until('it is there after it was deleted', async () => !(await admin.listTopics()).includes(name))
    return 'create, add partitions, describe, delete'
  },

  async 'admin-configs'() {
    const name = await topic('admin-configs', 1, { 'retention.ms': '3600000', 'cleanup.policy': 'compact' })
    const resource = { type: ConfigResourceTypes.TOPIC, name }
    const shown = async () => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      return Object.fromEntries(resources[0].configEntries.map((e) => [e.configName, e.configValue]))
    }
    await until('it is not shown as it was made', async () => {
      const configs = await shown()
      return configs['retention.ms'] === '3600000' && configs['cleanup.policy'] === 'compact'
    })
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
    await until('it is not shown as it was changed', async () => (await shown())['retention.ms'] === '7200000')
    return 'of topics'
  },

  async 'admin-offsets'() {
    const name = await topic('admin-offsets')
    await send(name, Array.from({ length: 10 }, (_, n) => ({ value: String(n) })))
    const [at] = await admin.fetchTopicOffsets(name)
    want(at.low === '0' && at.high === '10', `the ends are ${at.low} and ${at.high}`)
    want((await admin.fetchTopicOffsetsByTimestamp(name, 1))[0].offset === '0', 'the first record after 1970 is not the first')
    return 'earliest, latest, by time'
  },

  async 'admin-delete-records'() {
    const name = await topic('admin-delete-records')
    await send(name, Array.from({ length: 10 }, (_, n) => ({ value: String(n) })))
    await admin.fetchTopicOffsets(name) // deleteTopicRecords knows the leaders of topics alone that were asked for before
    await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '4' }] })
    const [at] = await admin.fetchTopicOffsets(name)
    want(at.low === '4', `the start is ${at.low} after 4 were deleted`)
    const got = await values(name, 'admin-delete-records', 6)
    want(got.join() === '4,5,6,7,8,9', `left are ${got}`)
    return ''
  },

  async 'admin-groups'() {
    const name = await topic('admin-groups')
    const groupId = `${config.prefix}.admin-groups`
    await send(name, Array.from({ length: 10 }, (_, n) => ({ value: String(n) })))
    const c = await consumer(name, 'admin-groups')
    await until(() => `${c.seen.length} of 10 records came`, () => c.seen.length === 10)
    await commit(c, name)
    const { groups } = await admin.describeGroups([groupId])
    want(groups[0].members.length === 1, `${groups[0].members.length} members`)
    const listed = async () => (await admin.listGroups()).groups.some((g) => g.groupId === groupId)
    want(await listed(), 'the group is not listed')
    await closed(c)
    const committed = async () => (await admin.fetchOffsets({ groupId, topics: [name] }))[0].partitions[0].offset
    want((await committed()) === '10', `committed is ${await committed()}`)
    await admin.setOffsets({ groupId, topic: name, partitions: [{ partition: 0, offset: '3' }] })
    want((await committed()) === '3', `committed is ${await committed()} after it was set to 3`)
    await admin.deleteGroups([groupId])
    want(!(await listed()), 'the group is there after it was deleted')
    return 'describe, list, offsets, set offsets, delete'
  },

  async 'admin-cluster'() {
    const { brokers, controller } = await admin.describeCluster()
    return `${brokers.length} broker, controller ${controller}`
  },

  async registry() {
    const subject = `${config.prefix}.registry-value`
    const schema = (...fields) => JSON.stringify({ type: 'record', name: 'T', fields })
    const a = { name: 'a', type: 'string' }
    const texts = [schema(a), schema(a, { name: 'b', type: 'string', default: '' })]
    const ids = []
    for (const text of texts) ids.push((await registry.register({ type: SchemaType.AVRO, schema: text }, { subject })).id)
    want((await registry.register({ type: SchemaType.AVRO, schema: texts[0] }, { subject })).id === ids[0], 'the same schema has two ids')
    want((await registry.getLatestSchemaId(subject)) === ids[1], 'the newest is not the second')
    want((await registry.getRegistryId(subject, 1)) === ids[0], 'version 1 is not the first')
    want((await registry.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema: texts[0] })) === ids[0], 'the first is not found by its text')
    const error = await registry.register({ type: SchemaType.AVRO, schema: schema({ name: 'a', type: 'long' }) }, { subject }).then(() => null, (e) => e)
    want(error, 'a breaking schema was registered')
    want((await registry.decode(await registry.encode(ids[1], { a: 'x', b: 'y' }))).b === 'y', 'a record does not come back')
    return 'register, look up, versions, levels, compatibility'
  },
}

async function main() {
  process.removeAllListeners('warning')
  process.on('warning', () => {})
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
  await within(WAIT, `no answer of ${config.brokers}`, admin.connect())
  for (const [name, fn] of Object.entries(steps)) {
    try {
      const detail = (await within(4 * WAIT, 'it did not end', fn())) ?? ''
      console.log(`ok ${name}: ${detail}`)
    } catch (e) {
      console.log(`failed ${name}: ${e.name}: ${e.message}`.replaceAll('\n', ' '))
    }
    crashed = null
    for (const client of open) await closed(client).catch(() => {})
  }
  await admin.disconnect()
}

main().then(() => process.exit(0), (e) => {
  console.log(`failed metadata: ${e.message}`)
  process.exit(1)
})
