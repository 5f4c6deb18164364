-- What has no spelling that DuckDB and Spark share, for Spark.

-- Seconds from one instant to another, to the microsecond; negative when they are the other way round.
create or replace temporary function seconds_between(started timestamp, ended timestamp) returns double
    return cast(unix_micros(ended) - unix_micros(started) as double) / cast(1000000 as double);

-- The day of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_day(instant timestamp) returns date
    return date_add(date '1970-01-01', cast(floor(unix_micros(instant) / 86400000000) as int));

-- The hour of an instant, in UTC, whatever the time zone of the session.
create or replace temporary function utc_hour(instant timestamp) returns timestamp_ntz
    return timestamp_ntz '1970-01-01 00:00:00' + make_dt_interval(0, cast(floor(unix_micros(instant) / 3600000000) as int));

-- A JSON path without its indices.
create or replace temporary function without_indices(path string) returns string
    return regexp_replace(path, r'\[[0-9]+\]', '[]');
