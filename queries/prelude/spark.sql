-- What has no spelling that DuckDB and Spark share, for Spark.

-- Seconds from one instant to another, to the microsecond; negative when they are the other way round.
create or replace temporary function seconds_between(started timestamp, ended timestamp) returns double
    return cast(unix_micros(ended) - unix_micros(started) as double) / cast(1000000 as double);
