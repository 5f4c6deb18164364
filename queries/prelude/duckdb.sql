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

-- When the period of an instant begins, in UTC: its day, unless a selection says otherwise.
create or replace macro period_of(instant) as
    date_trunc('day', make_timestamp(epoch_us(instant)));

-- Whether a text is as a pattern says, in which % stands for any text, _ for one character, and all others for themselves.
create or replace macro matches_pattern(text, pattern) as text like pattern;

-- A JSON path without its indices.
create or replace macro without_indices(path) as
    regexp_replace(path, '\[[0-9]+\]', '[]', 'g');

-- The rows that a list makes: Spark's word for unnest.
create or replace macro explode(list) as unnest(list);

-- A member of a JSON object: text as it is, other JSON as JSON; null where there is none, or it is null, or no JSON.
create or replace macro json_text(object, name) as
    json_extract_string(try_cast(object as json), '/' || replace(replace(name, '~', '~0'), '/', '~1'));

-- The elements, as JSON, of the list that is a member of a member of a JSON object; null where there is none.
create or replace macro json_items(object, name, inner_name) as
    cast(json_extract(object, '$."' || name || '"."' || inner_name || '"[*]') as varchar[]);

-- The members of a JSON object: key, and value as json_text gives it.
create or replace macro json_entries(object) as
    list_transform(list_distinct(json_keys(object)), lambda name: {'key': name, 'value': json_text(object, name)});

-- A number that tells most texts from others; another one in each engine.
create or replace macro text_digest(text) as hash(text);

-- Percentiles of a column, interpolated linearly, what they are asked with, which Spark must be able to fold, and how
-- one of them is taken: Spark's words.
create or replace macro percentile(value, fractions) as quantile_cont(value, fractions);
create or replace macro array_repeat(value, times) as repeat([value], times);
create or replace macro nth(list, place) as list[place];

-- The bookkeeping: what was loaded, and what could not be. Temporary views, as Spark's are, have no schema.
create or replace macro book_of_loads() as table select * from runmart.loads;
create or replace macro book_of_rejects() as table select * from runmart.rejects;
