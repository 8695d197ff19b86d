import{b as t,d as i}from"./shared-23.js";import{q as n}from"./shared-2.js";function r({at:e,zone:o}){return n("time",{dateTime:e,title:t(e,o),children:i(e)})}export{r as a};
