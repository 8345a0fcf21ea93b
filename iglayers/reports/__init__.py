"""What is read across slices: the results of a campaign. Owns no table and changes nothing."""
