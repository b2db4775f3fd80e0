// Package pipetest runs the whole task without Kafka: a Machine applies records and
// fires timers above the reference store, and a script says in text what came in,
// when, and everything that came out.
//
// A script is made of blocks: input lines, each with its time at the left (UTC
// clock time of one day, or +DURATION after the line before), a line "----", and
// what came out, up to an empty line. Lines with # are comments. Nothing comes out
// unsaid; what a timer brought about between two inputs has its own time.
//
//	tenant acme sf hs country=US zone=UTC        its configuration, the next version
//	tenant acme sf conflict:default=crm_wins conflict:last_name=manual dedupe=email,fuzzy_name_company:link:0.9
//	tenant acme removed
//	mapping score sf/Lead/Score direction=outbound type=number    a line of the next tenant's mapping; off
//	mapping status transform=picklist_map picklist=New:OPEN,Working:DOING enum=New,Working
//	scope sf/Lead off                             of the next tenant, too
//	scope sf/Lead Status=in:New,Working Phone=set  what a record must satisfy
//	records                                       every row of sync.records is shown, not only those of activities and of who leaves the scope
//	can page                                      a source for each kind of record; can find: persons by number
//	can find                                      the CRMs of this script look for persons by number
//	tenant acme sf org=other                     another account of the same CRM
//	09:00:00 crm sf Lead L1 Phone=… at=08:59:00  a record that was read; paged, again, found: by a page, once more, by number
//	09:00:00 stream sf Lead from= to=r1 type=UPDATE ids=L1 Phone=…
//	09:00:00 reset sf epoch=1 to=r9
//	09:00:00 hint sf Lead L1
//	09:00:00 page hs contacts from= to=c1 last
//	09:00:00 owner sf U1 email=ann@example.com
//	09:00:00 describe sf Lead without=Phone Status=picklist:New|Working Age__c=double,formula Nick__c=string,40,ro,label:Nick
//	                                             what fields Leads have now, beside the default mapping's, which are texts; deleted
//	09:00:00 contact d1 first_name=Ann email=null link=sf/Lead/L1
//	09:00:00 call c1 rev=1 to=+14155550100 seconds=92
//	09:00:00 event dnc_changed contact=d1 do_not_call=false
//	09:00:00 event call_updated call=c1 revision=2 notes="wants a demo"
//	09:00:00 action release_held id=a1 call=c1 do=drop
//	09:00:00 action redrive id=a2 key=sf/call:c1  (or offset=4: the fifth input; dlq=KEY: a dead letter)
//	09:00:00 result 1 id=T1 / id=T2              items of attempt 1, in order
//	09:00:00 result 1 error=permanent fields=Title    the CRM names what it refuses
//	09:00:00 result 1 error=throttled retry=5s   the request as a whole
//	09:00:00 wait                                timers alone
//	09:00:00 resume                              a new owner
//
// A value with blanks stands in quotes; x*1000 is a text of so many x; \n is a line end, \0, \b and \v are control characters; null clears a field; nobody says who the
// tenant is: it is the last one named.
package pipetest
