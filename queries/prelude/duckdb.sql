-- What has no spelling that DuckDB and Spark share, for DuckDB.

-- Seconds from one instant to another, to the microsecond; negative when they are the other way round.
create or replace macro seconds_between(started, ended) as
    cast(epoch_us(ended) - epoch_us(started) as double) / cast(1000000 as double);

-- The day of an instant, in UTC, whatever the time zone of the session.
create or replace macro utc_day(instant) as
    cast(make_timestamp(epoch_us(instant)) as date);

-- The hour of an instant, in UTC, whatever the time zone of the session.
create or replace macro utc_hour(instant) as
    date_trunc('hour', make_timestamp(epoch_us(instant)));

-- A JSON path without its indices.
create or replace macro without_indices(path) as
    regexp_replace(path, '\[[0-9]+\]', '[]', 'g');
