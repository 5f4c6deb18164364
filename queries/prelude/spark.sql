-- What has no spelling that DuckDB and Spark share, for Spark.

-- Seconds from one instant to another, to the microsecond; negative when they are the other way round.
create or replace temporary function seconds_between(started timestamp_ltz, ended timestamp_ltz) returns double
    return cast(unix_micros(ended) - unix_micros(started) as double) / cast(1000000 as double);

-- The day of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_day(instant timestamp_ltz) returns date
    return date_add(date '1970-01-01', cast(floor(unix_micros(instant) / 86400000000) as int));

-- The hour of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_hour(instant timestamp_ltz) returns timestamp_ntz
    return timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(0, cast(floor(unix_micros(instant) / 3600000000) as int));

-- When the period of an instant begins, in UTC: its day, unless a selection says otherwise.
create or replace temporary function period_of(instant timestamp_ltz) returns timestamp_ntz
    return timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(cast(floor(unix_micros(instant) / 86400000000) as int));

-- Whether a text is as a pattern says, in which % stands for any text, _ for one character, and all others for themselves.
create or replace temporary function matches_pattern(text string, pattern string) returns boolean
    return text like replace(pattern, r'\', r'\\');

-- A JSON path without its indices.
create or replace temporary function without_indices(path string) returns string
    return regexp_replace(path, r'\[[0-9]+\]', '[]');

-- A member of a JSON object: text as it is, other JSON as JSON; null where there is none, or it is null, or no JSON.
-- The first, where there are several of that name. Fractions from 1e7, and below 1e-3, are spelled as Java does: 1.0E-4.
create or replace temporary function json_text(object string, name string) returns string
    return from_json(object, 'map<string,string>')[name];

-- The elements, as JSON, of the list that is a member of a member of a JSON object; null where there is none.
create or replace temporary function json_items(object string, name string, inner_name string) returns array<string>
    return from_json(
        from_json(from_json(object, 'map<string,string>')[name], 'map<string,string>')[inner_name], 'array<string>'
    );

-- The members of a JSON object, the first of each name: key, and value as json_text gives it.
create or replace temporary function json_entries(object string) returns array<struct<key: string, value: string>>
    return aggregate(
        map_entries(from_json(object, 'map<string,string>')),
        cast(array() as array<struct<key: string, value: string>>),
        (found, entry) -> if(exists(found, one -> one.key = entry.key), found, array_append(found, entry))
    );

-- A number that tells most texts from others; another one in each engine.
create or replace temporary function text_digest(text string) returns bigint
    return xxhash64(text);

-- One of several percentiles.
create or replace temporary function nth(list array<double>, place int) returns double
    return element_at(list, place);

-- The bookkeeping: what was loaded, and what could not be. Temporary views have no schema.
create or replace temporary function book_of_loads() returns table
    return select * from loads;
create or replace temporary function book_of_rejects() returns table
    return select * from rejects;
