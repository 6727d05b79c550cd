-- name: schema
-- Bodies stand apart, so that lists and searches read narrow rows. The indexes on waiting deliveries are partial:
-- mail that is delivered at the first try, which is nearly all mail, never touches them.
create table if not exists messages (
  n integer primary key,
  id text not null unique,
  accepted_at integer not null,
  sender text,
  account text not null,
  address text not null,
  network text not null,
  bounce_of text not null,
  subject text not null,
  size integer not null,
  digest text not null,
  in_file integer not null,
  envelope blob not null
);
create index if not exists messages_sender on messages (lower(sender));
create index if not exists messages_account on messages (account) where account != '';
create index if not exists messages_bounce_of on messages (bounce_of) where bounce_of != '';
create table if not exists bodies (
  message integer primary key,
  head blob not null,
  body blob
);
create table if not exists deliveries (
  id text primary key,
  message integer not null,
  recipient text not null,
  lane text not null,
  route blob not null,
  tries integer not null,
  next_at integer not null,
  expires_at integer not null,
  state text not null,
  held_by text not null default '',
  held_at integer not null default 0,
  purged_by text not null default '',
  purged_at integer not null default 0,
  reply blob
) without rowid;
create index if not exists deliveries_message on deliveries (message);
create index if not exists deliveries_due on deliveries (lane, (tries > 0), next_at, expires_at)
  where state = 'waiting' and held_by = '';
create index if not exists deliveries_held on deliveries (held_by) where held_by != '';
create index if not exists deliveries_failed on deliveries (message) where state = 'failed';
create index if not exists deliveries_purged on deliveries (purged_at) where state = 'purged';
create table if not exists actions (
  id text primary key,
  kind text not null,
  at integer not null,
  performed blob not null
) without rowid;
create table if not exists facts (name text primary key, value) without rowid;
insert or ignore into facts values ('version', 1);

-- name: add_messages
insert into messages (n, id, accepted_at, sender, account, address, network, bounce_of, subject, size, digest,
  in_file, envelope) values

-- name: add_bodies
insert into bodies (message, head, body) values

-- name: add_deliveries
insert into deliveries (id, message, recipient, lane, route, tries, next_at, expires_at, state, held_by, held_at,
  reply) values

-- name: finish
-- Deliveries that came to their end leave the table.
delete from deliveries where id in (select value from json_each(?))

-- name: postpone
-- A purged delivery stays purged, whatever its last try said.
update deliveries set state = iif(state = 'purged', state, 'waiting'), tries = ?, next_at = ?, reply = ?,
  held_by = iif(held_by = '', '', trim(replace(' ' || held_by || ' ', ' on-the-wire ', ' '))) where id = ?

-- name: fail
update deliveries set state = iif(state = 'purged', state, 'failed'), tries = ?, reply = ?,
  held_by = iif(held_by = '', '', trim(replace(' ' || held_by || ' ', ' on-the-wire ', ' '))) where id = ?

-- name: files_of_finished
select id from messages m where id in (select value from json_each(?)) and in_file
  and not exists (select 1 from deliveries d where d.message = m.n)

-- name: drop_bodies
delete from bodies where message in (
  select n from messages m where id in (select value from json_each(?))
    and not exists (select 1 from deliveries d where d.message = m.n))

-- name: drop_messages
delete from messages where id in (select value from json_each(?))
  and not exists (select 1 from deliveries d where d.message = messages.n)

-- name: claim
-- The next of a lane that are due, of one kind: `tries > 0` tells retries from new mail, so that neither starves.
select d.id, m.id, d.recipient, d.route, d.tries, d.next_at, d.expires_at, d.held_by, d.state, d.reply
  from deliveries d indexed by deliveries_due cross join messages m on m.n = d.message
  where d.state = 'waiting' and d.held_by = '' and d.lane = ? and (d.tries > 0) = ? and d.next_at <= ?
  order by d.next_at limit ?

-- name: next_in_lane
select min(next_at) from deliveries indexed by deliveries_due
  where state = 'waiting' and held_by = '' and lane = ? and (tries > 0) = ?

-- name: start
update deliveries set state = 'trying' where id in (select value from json_each(?))

-- name: put_back
-- The claim was not answered: nobody has them.
update deliveries set state = 'waiting' where state = 'trying' and id in (select value from json_each(?))

-- name: withdraw_deliveries
delete from deliveries where message = ?

-- name: withdraw_body
delete from bodies where message = ?

-- name: withdraw_message
delete from messages where n = ?

-- name: expire_lane
-- Everything in a lane whose time is over, when the lane itself does not work.
update deliveries set state = 'failed', reply = ? where id in (
  select id from deliveries indexed by deliveries_due
  where state = 'waiting' and held_by = '' and lane = ? and expires_at <= ? limit ?)

-- name: lanes
select lane, count(*), min(next_at) from deliveries indexed by deliveries_due
  where state = 'waiting' and held_by = '' group by lane

-- name: letter
select m.id, m.size, m.digest, m.envelope, m.in_file, b.head, b.body
  from messages m join bodies b on b.message = m.n where m.id = ?

-- name: failed_messages
select distinct m.id from deliveries d join messages m on m.n = d.message where d.state = 'failed' limit ?

-- name: late_messages
-- The name of the action is `delay_mark` in spool_claims.py.
select m.id from messages m where m.accepted_at <= ? and coalesce(m.sender, '') != ''
  and exists (select 1 from deliveries d where d.message = m.n and d.state = 'waiting' and d.held_by = '')
  and not exists (select 1 from actions a where a.id = ? || m.id) order by m.n limit ?

-- name: deliveries_of
select d.id, m.id, d.recipient, d.route, d.tries, d.next_at, d.expires_at, d.held_by, d.state, d.reply
  from messages m cross join deliveries d on d.message = m.n where m.id = ? order by d.id

-- name: recover
-- What was under way when the process ended may have arrived: it counts as tried.
update deliveries set state = 'waiting', tries = tries + 1 where state = 'trying'

-- name: nothing_on_the_wire
-- At the start no try is under way, of restored deliveries either.
update deliveries set held_by = trim(replace(' ' || held_by || ' ', ' on-the-wire ', ' '))
  where held_by != '' and instr(held_by, 'on-the-wire') > 0

-- name: clamp
-- A clock that was set back must not put a try off for years.
update deliveries set next_at = ? where state = 'waiting' and next_at > ?

-- name: last_message
select coalesce(max(n), 0) from messages

-- name: messages_in_files
select id from messages where in_file

-- name: hold_message
update deliveries set held_at = iif(held_by = '', ?, held_at), held_by = ? where held_by = ''
  and message = (select n from messages where id = ?)

-- name: journal_read
-- The salt of the journal's frames, and the number of the last one that the table knows all of.
select s.value, n.value from facts s join facts n on s.name = 'journal_salt' and n.name = 'journal_number'

-- name: journal_number
-- Written with what the frames say, in one transaction; also the proof that the disk takes writes again.
insert or replace into facts values ('journal_number', ?)

-- name: journal_salt
insert or replace into facts values ('journal_salt', ?)

-- name: new_salt
select randomblob(16)

-- name: count
-- Each message's bytes once, however many of its deliveries match.
select coalesce(sum(matched), 0), count(*), coalesce(sum(size), 0) from (
  select count(*) as matched, m.size as size from messages m join deliveries d on d.message = m.n where

-- name: rows
select d.id, m.id, d.state, m.sender, d.recipient, m.account, m.address, m.network, m.size, d.tries, m.accepted_at,
  d.next_at, d.expires_at, d.route, d.held_by, m.subject, d.reply,
  case when d.tries = 0 and d.next_at > m.accepted_at then m.envelope end
  from messages m join deliveries d on d.message = m.n where

-- name: groups
-- The expression that they are summed up by stands for the question mark.
select ?, count(*), sum(m.size), min(m.accepted_at), min(d.next_at)
  from messages m join deliveries d on d.message = m.n where

-- name: preview
-- Of these deliveries what a change would change; the condition follows.
select d.message, m.size from deliveries d join messages m on m.n = d.message
  where d.id in (select value from json_each(:ids)) and

-- name: ids
select d.id from messages m join deliveries d on d.message = m.n where

-- name: changeable
-- Of these deliveries the ones that the change is still to be made to; the condition follows.
select id, state from deliveries where id in (select value from json_each(?)) and

-- name: hold
update deliveries set held_at = iif(held_by = '', :now, held_at), held_by = trim(held_by || ' ' || :action)
  where id in (select value from json_each(:ids))

-- name: release_one
-- Time held does not count towards expiry: the clock of a delivery stands still until the last hold is gone.
update deliveries set
  expires_at = expires_at + iif(held_by = :held, :now - held_at, 0),
  held_at = iif(held_by = :held, 0, held_at),
  held_by = trim(replace(' ' || held_by || ' ', ' ' || :held || ' ', ' '))
  where id in (select value from json_each(:ids))

-- name: release_all
update deliveries set expires_at = expires_at + :now - held_at, held_at = 0,
  held_by = iif(instr(held_by, 'on-the-wire') > 0, 'on-the-wire', '')
  where id in (select value from json_each(:ids))

-- name: retry
update deliveries set next_at = :now where id in (select value from json_each(:ids))

-- name: give_up
update deliveries set state = 'failed', held_by = '', reply = :reply where id in (select value from json_each(:ids))

-- name: purge
-- What is being tried is marked until its outcome: restored before, it must not be tried a second time beside it.
update deliveries set purged_by = :action, purged_at = :now,
  held_by = iif(state = 'trying', trim(held_by || ' on-the-wire'), held_by), state = 'purged'
  where id in (select value from json_each(:ids))

-- name: restore
update deliveries set state = 'waiting', purged_by = '', purged_at = 0,
  expires_at = expires_at + iif(held_by = '', :now - purged_at, 0),
  held_at = iif(held_by = '', :now, held_at), held_by = trim(held_by || ' ' || :action)
  where id in (select value from json_each(:ids))

-- name: performed
select performed from actions where id = ?

-- name: add_action
insert into actions (id, kind, at, performed) values (?, ?, ?, ?)

-- name: drop_actions
delete from actions where at < ?

-- name: purged
-- Newest first: what is kept, until the limit; the rest goes.
select d.id, m.id, m.size, d.purged_at from deliveries d join messages m on m.n = d.message
  where d.state = 'purged' order by d.purged_at desc, m.n desc

-- name: stopped_among
-- Of deliveries that are about to be started, those that have been held or purged meanwhile.
select id from deliveries where id in (select value from json_each(?)) and (held_by != '' or state = 'purged')

-- name: empty_pages
pragma freelist_count

-- name: give_pages_back
pragma incremental_vacuum(1000)
