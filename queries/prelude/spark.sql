-- Functions whose SQL differs between DuckDB and Spark, as Spark defines them.

-- Seconds from one instant to another, to the microsecond; negative if the second is earlier.
create or replace temporary function seconds_between(started timestamp_ltz, ended timestamp_ltz) returns double
    return cast(unix_micros(ended) - unix_micros(started) as double) / cast(1000000 as double);

-- Seconds from the beginning of 1970, in UTC, to an instant.
create or replace temporary function seconds_since_1970(instant timestamp_ltz) returns double
    return cast(unix_micros(instant) as double) / cast(1000000 as double);

-- The day of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_day(instant timestamp_ltz) returns date
    return date_add(date '1970-01-01', cast(floor(unix_micros(instant) / 86400000000) as int));

-- The hour of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_hour(instant timestamp_ltz) returns timestamp_ntz
    return timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(0, cast(floor(unix_micros(instant) / 3600000000) as int));

-- An instant of a run, or null where it is implausible: before 2015, or more than a day after its observation.
create or replace temporary function plausible_instant(instant timestamp_ltz, observed_at timestamp_ltz)
    returns timestamp_ltz
    return case when unix_micros(instant) >= 1420070400000000
        and unix_micros(instant) - unix_micros(observed_at) <= 86400000000 then instant end;

-- The start of the period of an instant, in UTC: its day, unless a selection sets another grain.
create or replace temporary function period_of(instant timestamp_ltz) returns timestamp_ntz
    return timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(cast(floor(unix_micros(instant) / 86400000000) as int));

-- Whether a text matches a LIKE pattern, % for any text and _ for one character, without escapes.
create or replace temporary function matches_pattern(text string, pattern string) returns boolean
    return text like replace(pattern, r'\', r'\\');

-- The model in a line item of costs, such as "gpt-4o, cached input" or "priority | gpt-4o audio, output"; null without one.
create or replace temporary function model_of_line_item(line_item string) returns string
    return case when line_item like '%, %' then
        split_part(split_part(split_part(line_item, ' | ', case when line_item like '% | %' then 2 else 1 end), ', ', 1), ' ', 1)
    end;

-- A JSON path without its array indices.
create or replace temporary function without_indices(path string) returns string
    return regexp_replace(path, r'\[[0-9]+\]', '[]');

-- A member of a JSON object, strings unquoted, other values as JSON; null if it is missing or null, or the text no JSON.
-- Of repeated members the first. Fractions from 1e7 and below 1e-3 are written as in Java: 1.0E-4.
create or replace temporary function json_text(object string, name string) returns string
    return from_json(object, 'map<string,string>')[name];

-- The elements, as JSON, of a list nested two levels deep in a JSON object; null if there is none.
create or replace temporary function json_items(object string, name string, inner_name string) returns array<string>
    return from_json(
        from_json(from_json(object, 'map<string,string>')[name], 'map<string,string>')[inner_name], 'array<string>'
    );

-- The members of a JSON object, the first of repeated ones: key, and value as from json_text.
create or replace temporary function json_entries(object string) returns array<struct<key: string, value: string>>
    return aggregate(
        map_entries(from_json(object, 'map<string,string>')),
        cast(array() as array<struct<key: string, value: string>>),
        (found, entry) -> if(exists(found, one -> one.key = entry.key), found, array_append(found, entry))
    );

-- A hash of a text, which differs between the engines.
create or replace temporary function text_digest(text string) returns bigint
    return xxhash64(text);

-- The MD5 of a text whose runs of ASCII whitespace are single spaces, none at its ends; the same in both engines.
create or replace temporary function normalised_digest(text string) returns string
    return md5(encode(trim(both ' ' from regexp_replace(text, r'[ \t\n\x0B\f\r]+', ' ')), 'UTF-8'));

-- The names in a list, in order, as one text; null without any.
create or replace temporary function names_in(list array<string>) returns string
    return case when size(array_compact(list)) > 0 then array_join(array_sort(list), ', ') end;

-- One element of a list of percentiles.
create or replace temporary function nth(list array<double>, place int) returns double
    return element_at(list, place);

-- The bookkeeping tables, without a schema, since temporary views have none.
create or replace temporary function book_of_loads() returns table
    return select * from loads;
create or replace temporary function book_of_rejects() returns table
    return select * from rejects;
create or replace temporary function book_of_sources() returns table
    return select cast(null as string) as source, cast(null as timestamp) as pulled_at where false;
