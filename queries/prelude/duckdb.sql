-- What has no spelling that DuckDB and Spark share, for DuckDB.

-- Seconds from one instant to another, to the microsecond; negative when they are the other way round.
create or replace macro seconds_between(started, ended) as
    cast(epoch_us(ended) - epoch_us(started) as double) / cast(1000000 as double);
