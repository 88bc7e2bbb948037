-- Act for a company until the transaction ends: policies read the setting, and partitions are for its role alone.
-- in: company_id, role, internal ('on': what is internal is seen, too)
-- out: all three
SELECT set_config('arcana.company_id', %(company_id)s, true), set_config('arcana.internal', %(internal)s, true),
       set_config('role', %(role)s, true)
